import { setTimeout as sleep } from "node:timers/promises";
import type { Log } from "../log.ts";

const SLICE_MS = 10_000;
const FIRST_PAUSE_MS = 5_000;
const LONGEST_PAUSE_MS = 10 * 60_000;

/** How long an end waits for a turn that waits for GitHub. */
const CLOSE_GRACE_MS = 5_000;

/**
 * Does something over and over until it is disposed of, which waits a while for the turn in hand. A turn that fails is logged and followed by a
 * pause, longer each time.
 *
 * @param options `turn` hands back how long to rest, in milliseconds. `heartbeat` is called at least every ten seconds while nothing hangs.
 */
export function startLoop(options: {
  readonly name: string;
  turn(signal: AbortSignal): Promise<number>;
  heartbeat(): void;
  readonly log: Log;
}): AsyncDisposable {
  const { name, turn, heartbeat, log } = options;
  const closing = new AbortController();
  const { signal } = closing;

  async function loop(): Promise<void> {
    for (let failures = 0; !signal.aborted; ) {
      heartbeat();
      const pauseMs = await turn(signal).then(
        (restMs) => {
          failures = 0;
          return restMs;
        },
        (error: unknown) => {
          if (signal.aborted) return 0;
          const pauseMs = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** failures);
          failures += 1;
          log.warn({ err: error, loop: name, pauseMs }, "a turn of a loop failed");
          return pauseMs;
        },
      );
      await rest(pauseMs);
    }
  }

  async function rest(ms: number): Promise<void> {
    const untilMs = performance.now() + ms;
    for (let left = ms; left > 0 && !signal.aborted; left = untilMs - performance.now()) {
      heartbeat();
      await sleep(Math.min(SLICE_MS, left), undefined, { signal }).catch(() => {});
    }
  }

  const done = loop();
  return {
    async [Symbol.asyncDispose]() {
      closing.abort();
      const timer = new AbortController();
      await Promise.race([done, sleep(CLOSE_GRACE_MS, undefined, { signal: timer.signal })]);
      timer.abort();
    },
  };
}
