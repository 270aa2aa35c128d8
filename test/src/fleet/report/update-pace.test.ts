import { expect, it } from "@jest/globals";
import { updatePaceMs } from "../../../../src/fleet/report/update-pace.ts";

const HOUR = 3_600_000;
const nowMs = 1_000;
const limitOf = (remaining: number) => ({ remaining, limit: 5_000, resetAtMs: nowMs + HOUR });

it.each([
  ["5 seconds while nothing is known", 1, undefined, 5_000],
  ["5 seconds for one job alone", 1, limitOf(5_000), 5_000],
  ["what 50 jobs may spend together", 50, limitOf(5_000), HOUR / 50],
  ["longer when less remains", 50, limitOf(500), HOUR / 5],
  ["until there are new requests when none remain", 3, limitOf(0), HOUR],
])("takes %s", (_, runningJobs, rateLimit, ms) => {
  expect(updatePaceMs({ isWaiting: false, runningJobs, rateLimit, nowMs })).toBe(ms);
});

it("updates what waits once a minute at most", () => {
  const waits = { isWaiting: true, runningJobs: 0, nowMs };

  expect(updatePaceMs({ ...waits, rateLimit: undefined })).toBe(60_000);
  expect(updatePaceMs({ ...waits, rateLimit: limitOf(20) })).toBe(HOUR / 10);
});
