import type { Installation } from "../github/installation.ts";

/** What a sweep may spend of an installation's requests, so that jobs are never left without. */
export type RequestBudget = {
  /** Takes one request; false when there is none left for now. */
  take(installation: Installation): boolean;
};

/** An eighth at once and an eighth over the hour: never more than a quarter of what remains. */
const SHARE = 1 / 8;
/** GitHub counts by the hour. */
const WINDOW_MS = 60 * 60_000;
/** Before GitHub has said how much there is. */
const UNKNOWN = 30;

export function createRequestBudget(now: () => number): RequestBudget {
  const buckets = new Map<number, { tokens: number; atMs: number }>();

  function refill(installation: Installation): { tokens: number; atMs: number } {
    const nowMs = now();
    const limit = installation.rateLimit();
    const most = limit ? limit.remaining * SHARE : UNKNOWN;
    const old = buckets.get(installation.id);
    const windowMs = limit ? WINDOW_MS : 60_000;
    const gained = old ? ((nowMs - old.atMs) / windowMs) * most : most;
    const bucket = { tokens: Math.min(most, (old?.tokens ?? 0) + gained), atMs: nowMs };
    buckets.set(installation.id, bucket);
    return bucket;
  }

  return {
    take(installation) {
      const bucket = refill(installation);
      if (bucket.tokens < 1) return false;
      bucket.tokens -= 1;
      return true;
    },
  };
}
