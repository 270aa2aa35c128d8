import { expect, it } from "@jest/globals";
import type { Installation } from "../../../src/github/installation.ts";
import { createRequestBudget } from "../../../src/intake/request-budget.ts";

const HOUR = 3_600_000;

it("spends no more than a quarter of what remains in an hour, and leaves the rest to jobs", () => {
  let nowMs = 0;
  let remaining = 4000;
  const rateLimit = () => ({ remaining, limit: 5000, resetAtMs: HOUR });
  const installation = { id: 1, rateLimit } as Installation;
  const budget = createRequestBudget(() => nowMs);

  let spent = 0;
  for (; nowMs < HOUR; nowMs += 60_000) {
    while (budget.take(installation)) {
      spent += 1;
      remaining -= 1;
    }
  }

  expect(spent).toBeGreaterThanOrEqual(500);
  expect(spent).toBeLessThanOrEqual(1000);
});
