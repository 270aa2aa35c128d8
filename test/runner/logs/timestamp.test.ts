import { expect, it } from "@jest/globals";
import { timestamp } from "../../../runner/logs/timestamp.ts";

it("writes a moment with seven digits, in UTC", () => {
  expect(timestamp(Date.UTC(2026, 7, 20, 12, 34, 56, 123) + 0.4567)).toMatch(
    /^2026-08-20T12:34:56\.123456[67]Z$/,
  );
  expect(timestamp(0)).toBe("1970-01-01T00:00:00.0000000Z");
  expect(timestamp()).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z$/);
});
