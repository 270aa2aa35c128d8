import type { Installation, JobToken } from "../github/installation.ts";
import type { Log } from "../log.ts";
import type { KeptTokens } from "../store/kept-tokens.ts";
import type { JobTokens } from "./run-job.ts";

export type JobTokensOptions = {
  readonly execution: string;
  readonly repository: string;
  /** As the workflow writes them. */
  readonly permissions: { readonly [scope: string]: string } | undefined;
  readonly kept: KeptTokens;
  readonly log: Log;
  /** Tries again what failed; for the first token, without which there is no job. */
  insist<T>(work: () => Promise<T>): Promise<T>;
  /** Told of each token before it is used, so that no log shows it. */
  hide(token: string): void;
  readonly now?: () => number;
};

/** A step may take its time before it uses what it was given. */
const RENEW_BEFORE_MS = 15 * 60_000;

/** The installation's tokens for one job: renewed in good time, all of them revoked when the job has ended. */
export async function openJobTokens(
  installation: Pick<Installation, "jobToken" | "revokeToken">,
  { execution, repository, permissions, kept, log, insist, hide, now = Date.now }: JobTokensOptions,
): Promise<JobTokens> {
  const earlier = await kept.read(execution);
  for (const token of earlier) hide(token);
  let current: JobToken | undefined;
  const outdated: JobToken[] = [];

  async function renew(): Promise<JobToken> {
    const next = await installation.jobToken(repository, permissions);
    hide(next.token);
    // Before anyone has it: the next life must know what this one may have printed.
    await kept.add(execution, next.token).catch(async (error: unknown) => {
      await next.revoke();
      throw error;
    });
    return next;
  }

  return {
    earlier,
    get missing() {
      return current?.missing ?? [];
    },
    async fresh() {
      if (current !== undefined && current.expiresAtMs - now() > RENEW_BEFORE_MS) {
        return current.token;
      }
      try {
        const isFirst = current === undefined && earlier.length === 0;
        const next = await (isFirst ? insist(renew) : renew());
        // A process of an earlier step may still use the one before; it goes with the job.
        if (current !== undefined) outdated.push(current);
        current = next;
        return next.token;
      } catch (error) {
        // When one of an earlier life ends is not known; a job that runs is better off with it than without.
        const last = current === undefined ? earlier.at(-1) : current.token;
        if (last === undefined || (current && current.expiresAtMs <= now())) throw error;
        log.warn({ repository, err: error }, "token is not renewed, the old one is used");
        return last;
      }
    },
    async [Symbol.asyncDispose]() {
      const made = current === undefined ? outdated : [...outdated, current];
      const good = made.filter(({ expiresAtMs }) => expiresAtMs > now());
      await Promise.all([
        ...good.map((one) => one.revoke()),
        ...earlier.map((token) => installation.revokeToken(token)),
      ]);
      await kept.forget(execution);
    },
  };
}
