import { createMasker } from "../../runner/logs/mask.ts";

/** What the service's log hides. */
export type LogMask = {
  /** For good, as the configuration's. */
  add(secret: string): void;
  /** For an hour at least, which is as long as a job's token lives. */
  addPassing(secret: string): void;
  mask(text: string): string;
};

const PASSING_MS = 3_600_000;

/** Secrets of a configuration stay; those of jobs are forgotten in time, since a service would else have ever more of them. */
export function createLogMask(
  secrets: readonly string[],
  { now = Date.now }: { now?: () => number } = {},
): LogMask {
  const lasting = createMasker();
  for (const secret of secrets) lasting.add(secret);
  let fresh = createMasker();
  let older = createMasker();
  let sinceMs = now();

  return {
    add: lasting.add,
    addPassing(secret) {
      if (now() - sinceMs > PASSING_MS) {
        [older, fresh, sinceMs] = [fresh, createMasker(), now()];
      }
      fresh.add(secret);
    },
    mask: (text) => older.mask(fresh.mask(lasting.mask(text))),
  };
}
