import { expect, it } from "@jest/globals";
import { matcherTimeoutMs } from "../../../runner/logs/matcher-timeout.ts";

it.each([
  [undefined, 1000],
  ["", 1000],
  ["soon", 1000],
  ["00:00:00", 1000],
  ["-00:00:05", 1000],
  ["00:00:02", 2000],
  ["00:00:00.25", 250],
  ["00:01", 60_000],
  ["1.00:00:00", 86_400_000],
])("reads the time span %j as %d ms", (timeSpan, ms) => {
  expect(matcherTimeoutMs(timeSpan)).toBe(ms);
});
