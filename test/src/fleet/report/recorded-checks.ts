import { BerthError } from "../../../../runner/errors.ts";
import type { CheckAnnotation, CheckRunState } from "../../../../src/github/installation.ts";

export type RecordedCheck = CheckRunState & { name: string; annotations: CheckAnnotation[] };

/** Check runs as GitHub would hold them, which can refuse, fail, and do what they then say has failed. */
export function recordedChecks() {
  const checks = new Map<number, RecordedCheck>();
  const faults: ((
    annotations: readonly CheckAnnotation[],
  ) => "refuse" | "fail" | "lose" | "hang" | undefined)[] = [];
  const waiting: { count: number; resolve(): void }[] = [];
  const calls: string[] = [];
  let limit: { remaining: number; limit: number; resetAtMs: number } | undefined;

  function record(call: string): void {
    calls.push(call);
    for (const { count, resolve } of waiting) if (calls.length >= count) resolve();
  }

  async function apply(annotations: readonly CheckAnnotation[], change: () => void): Promise<void> {
    const fault = faults.shift()?.(annotations);
    if (fault === "hang") await new Promise(() => {});
    if (fault === undefined || fault === "lose") change();
    if (fault === "refuse") throw new BerthError("GITHUB_REFUSED", { message: "422" });
    if (fault !== undefined) throw new BerthError("GITHUB_UNREACHABLE", { message: "502" });
  }

  return {
    checks,
    /** What was called, in order. */
    calls,
    /** Of the next calls that change something, one each. */
    faults,
    setLimit(value: typeof limit): void {
      limit = value;
    },
    /** Resolves when so many calls have been made. */
    called(count: number): Promise<void> {
      const { promise, resolve } = Promise.withResolvers<void>();
      if (calls.length >= count) resolve();
      waiting.push({ count, resolve });
      return promise;
    },
    installation: {
      async createCheckRun(
        _repository: string,
        { name }: { readonly name: string },
        state: CheckRunState,
      ): Promise<number> {
        record(`create ${state.status}: ${state.title}`);
        const known = [...checks].find(([, check]) => check.name === name)?.[0];
        const id = known ?? checks.size + 1;
        await apply([], () => {
          checks.set(id, { ...state, name, annotations: checks.get(id)?.annotations ?? [] });
        });
        return id;
      },
      async updateCheckRun(
        _repository: string,
        id: number,
        state: CheckRunState,
        annotations: readonly CheckAnnotation[],
      ): Promise<void> {
        const count = annotations.length === 0 ? "" : ` +${annotations.length}`;
        record(`${state.conclusion ?? state.status}${count}: ${state.title}`);
        await apply(annotations, () => {
          const { name = "", annotations: before = [] } = checks.get(id) ?? {};
          checks.set(id, { ...state, name, annotations: [...before, ...annotations] });
        });
      },
      async countAnnotations(_repository: string, id: number): Promise<number> {
        record("count");
        return checks.get(id)?.annotations.length ?? 0;
      },
      rateLimit: () => limit,
    },
  };
}

/** A clock that stands until it is moved. */
export function handClock() {
  const sleepers = new Set<{ readonly atMs: number; wake(): void }>();
  let nowMs = 0;
  return {
    now: () => nowMs,
    sleep(ms: number, signal: AbortSignal): Promise<void> {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const sleeper = { atMs: nowMs + ms, wake: resolve };
      sleepers.add(sleeper);
      signal.addEventListener("abort", () => {
        sleepers.delete(sleeper);
        reject(signal.reason as Error);
      });
      return promise;
    },
    advance(ms: number): void {
      nowMs += ms;
      for (const sleeper of [...sleepers]) {
        if (sleeper.atMs > nowMs) continue;
        sleepers.delete(sleeper);
        sleeper.wake();
      }
    },
  };
}
