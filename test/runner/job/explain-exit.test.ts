import { expect, it } from "@jest/globals";
import { explainExit } from "../../../runner/job/explain-exit.ts";

it.each([
  [125, "a container engine could not run"],
  [126, "could not be executed"],
  [127, "was not found"],
  [128, "128"],
  [130, "SIGINT"],
  [134, "SIGABRT"],
  [135, "SIGBUS"],
  [137, "SIGKILL"],
  [139, "SIGSEGV"],
  [141, "SIGPIPE"],
  [143, "SIGTERM"],
  [159, "SIGSYS"],
  [165, "signal 37"],
])("says what exit code %i means, and what to do", (exitCode, words) => {
  const explanation = explainExit({ of: "step", exitCode });

  expect(explanation?.sentence).toContain(words);
  expect(explanation?.remedy).toMatch(/^[A-Z].*\.$/);
});

it("blames memory for any failure after the kernel killed for want of it", () => {
  const killed = explainExit({ of: "container", exitCode: 137, oomKilled: true });
  const wrapped = explainExit({ of: "step", exitCode: 1, oomKilled: true });

  expect(killed?.sentence).toContain("The container ran out of memory");
  expect(killed?.remedy).toContain("--memory");
  expect(wrapped?.sentence).toContain("ran out of memory");
});

it("does not speak of memory when a kill had another reason", () => {
  expect(explainExit({ of: "step", exitCode: 137 })?.sentence).not.toContain("ran out of memory");
});

it.each([0, 1, 2, 42, 124, 193, 255])("adds nothing to exit code %i", (exitCode) => {
  expect(explainExit({ of: "step", exitCode })).toBeUndefined();
});

it("explains no signal that Berth itself sent", () => {
  expect(explainExit({ of: "step", exitCode: 143, stopped: true })).toBeUndefined();
});
