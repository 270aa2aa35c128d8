import { setTimeout as sleep } from "node:timers/promises";
import { BerthError, textOf } from "../../runner/errors.ts";
import type { Log } from "../log.ts";

const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 5 * 60_000;

/**
 * Does something that must be done however often it fails: GitHub may be away, a disk full for a while. Waits longer each time.
 *
 * @returns `undefined` when the service stops.
 * @throws {BerthError} `GITHUB_REFUSED`, unless `retryRefused`: asking again is no use.
 */
export async function persist<T>(
  what: string,
  work: () => Promise<T>,
  {
    log,
    signal,
    onWait,
    retryRefused = false,
  }: {
    readonly log: Log;
    readonly signal: AbortSignal;
    /** Hears why it is not done yet. */
    onWait?(reason: string): void;
    readonly retryRefused?: boolean;
  },
): Promise<T | undefined> {
  for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(waitMs * 2, LONGEST_WAIT_MS)) {
    if (signal.aborted) return undefined;
    try {
      return await work();
    } catch (error) {
      if (signal.aborted) return undefined;
      if (isRefused(error) && !retryRefused) throw error;
      log.error({ what, error: textOf(error), waitMs }, "failed, is tried again");
      onWait?.(textOf(error));
      await sleep(waitMs, undefined, { signal, ref: false }).catch(() => {});
    }
  }
}

function isRefused(error: unknown): boolean {
  return error instanceof BerthError && error.code === "GITHUB_REFUSED";
}
