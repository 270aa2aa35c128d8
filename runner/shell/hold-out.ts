import { setTimeout as sleep } from "node:timers/promises";
import { BerthError, textOf } from "../errors.ts";

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5000;

/**
 * Attempts to mend what was cut, again and again with growing pauses, until it is mended (`undefined`), is seen to be past mending, or patience has
 * run out.
 *
 * @param options `attempt` returns the reason why no other attempt is worth it; what it throws is tried again, unless it `isFinal`.
 * @returns Why it was given up. Nothing, as well, once `signal` is aborted.
 */
export async function holdOut(
  cut: BerthError,
  options: {
    readonly patienceMs: number;
    readonly signal: AbortSignal;
    isFinal(error: unknown): error is BerthError;
    attempt(): Promise<BerthError | undefined>;
  },
): Promise<BerthError | undefined> {
  const { patienceMs, signal, isFinal, attempt } = options;
  const deadline = performance.now() + patienceMs;
  let last: unknown = cut;
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
    try {
      return await attempt();
    } catch (error) {
      if (signal.aborted) return undefined;
      if (isFinal(error)) return error;
      last = error;
    }
    if (performance.now() + pauseMs > deadline) return gaveUp(last, patienceMs);
    await sleep(pauseMs, undefined, { signal }).catch(() => {});
    if (signal.aborted) return undefined;
  }
}

/** Whether something comes about in time. */
export function withPatience(awaited: Promise<unknown>, patienceMs: number): Promise<boolean> {
  const patience = new AbortController();
  const silent = sleep(patienceMs, false, { signal: patience.signal, ref: false });
  silent.catch(() => {}); // given up once the answer is there
  return Promise.race([awaited.then(() => true), silent]).finally(() => patience.abort());
}

function gaveUp(cause: unknown, patienceMs: number): BerthError {
  const seconds = patienceMs / 1000;
  const time = seconds < 120 ? `${seconds} seconds` : `${Math.round(seconds / 6) / 10} minutes`;
  return new BerthError("SHELL_LOST", {
    message: `The connection to the job's shell was cut and did not come back within ${time}: ${textOf(cause)}`,
    remedy: "See whether the job's host is up and its engine runs, then run the job again.",
    cause,
  });
}
