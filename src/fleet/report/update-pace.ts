import type { Installation } from "../../github/installation.ts";

const SHORTEST_MS = 5_000;
const WAITING_MS = 60_000;

/**
 * Milliseconds between two updates of one check run: a minute while its job waits; while it runs what spends half of the installation's
 * remaining requests until they are given anew, shared by all running jobs, and at least 5 seconds.
 */
export function updatePaceMs({
  isWaiting,
  runningJobs,
  rateLimit,
  nowMs,
}: {
  readonly isWaiting: boolean;
  readonly runningJobs: number;
  readonly rateLimit: ReturnType<Installation["rateLimit"]>;
  readonly nowMs: number;
}): number {
  const atLeast = isWaiting ? WAITING_MS : SHORTEST_MS;
  if (rateLimit === undefined) return atLeast;
  const untilResetMs = Math.max(0, rateLimit.resetAtMs - nowMs);
  const perJob = rateLimit.remaining / 2 / Math.max(1, runningJobs);
  return Math.max(atLeast, perJob < 1 ? untilResetMs : untilResetMs / perJob);
}
