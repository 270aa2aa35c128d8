import { expect, it } from "@jest/globals";
import { createLogMask } from "../../../src/cli/log-mask.ts";

const HOUR_MS = 3_600_000;

it("hides the configuration's secrets for good, and a job's as long as its tokens live", () => {
  let nowMs = 0;
  const { addPassing, mask } = createLogMask(["key-of-app"], { now: () => nowMs });
  const masked = () => mask("key-of-app token-one token-two token-three");

  addPassing("token-one");
  nowMs += HOUR_MS + 1;
  addPassing("token-two");
  const afterAnHour = masked();
  nowMs += HOUR_MS + 1;
  addPassing("token-three");

  expect(afterAnHour).toBe("*** *** *** token-three");
  expect(masked()).toBe("*** token-one *** ***");
});
