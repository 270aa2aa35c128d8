import { expect, it } from "@jest/globals";
import { limitOf } from "../../../src/github/rate-limit.ts";

const NOW = Date.parse("2026-01-01T00:00:00Z");
const RESET = String(NOW / 1000 + 90);

it.each<[string, number, { [name: string]: string }, string, number | undefined]>([
  ["seconds", 403, { "retry-after": "30" }, "", 30_000],
  ["a date", 429, { "retry-after": "Thu, 01 Jan 2026 00:00:05 GMT" }, "", 5000],
  ["a date that has passed", 429, { "retry-after": "Wed, 31 Dec 2025 23:59:00 GMT" }, "", 0],
  ["nonsense", 429, { "retry-after": "soon" }, "", 60_000],
  ["a busy server", 503, { "retry-after": "7" }, "", 7000],
  ["used up", 403, { "x-ratelimit-remaining": "0", "x-ratelimit-reset": RESET }, "", 90_000],
  ["used up without a time", 403, { "x-ratelimit-remaining": "0" }, "", 60_000],
  ["words only", 403, {}, "You have exceeded a secondary rate limit", 60_000],
  ["429 only", 429, {}, "", 60_000],
  ["no limit", 403, { "x-ratelimit-remaining": "9" }, "Forbidden", undefined],
  ["a broken server", 500, { "retry-after": "7" }, "", undefined],
  ["a good answer", 200, { "x-ratelimit-remaining": "0" }, "", undefined],
])(
  "reads how long GitHub wants to be left alone: %s",
  (_title, statusCode, headers, said, waitMs) => {
    expect(limitOf({ statusCode, headers, said }, NOW)?.waitMs).toBe(waitMs);
  },
);
