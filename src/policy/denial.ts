/** What policy does not let run. */
export type Denial = {
  /** Its name: `policy.KEY` of `berth.yml`, or `options.NAME` for an option that the job's profile would have to allow. */
  readonly rule: string;
  readonly reason: string;
  readonly remedy: string;
};

/** The first denial of a list, in its order. */
export function firstDenial(checks: readonly (() => Denial | undefined)[]): Denial | undefined {
  for (const check of checks) {
    const denial = check();
    if (denial !== undefined) return denial;
  }
  return undefined;
}
