import { expect, it } from "@jest/globals";
import {
  applyJobEvent,
  currentStep,
  emptyJobView,
  failedStep,
} from "../../../../src/fleet/report/job-view.ts";
import { told, viewOf } from "./told-job.ts";

it("knows where the job runs, what it does now and what it did", () => {
  const view = viewOf([
    told.started(),
    told.step(1, "Set up job"),
    told.stepEnded(1, "Set up job"),
    told.stepEnded(2, "Optional", "skipped"),
    told.step(3, "Test"),
  ]);

  expect(view).toMatchObject({
    host: "gpu-1",
    image: "img:1",
    steps: [
      { number: 1, conclusion: "success", ms: 1500 },
      { number: 2, name: "Optional", conclusion: "skipped" },
      { number: 3, name: "Test" },
    ],
  });
  expect(currentStep(view)?.name).toBe("Test");
});

it("is the same when it is made anew from what was told before a restart", () => {
  const events = [
    told.started(),
    told.step(1, "Test"),
    told.line(1, "one"),
    told.annotation(1, { level: "error", message: "no" }),
    told.summary(1, "# Sum"),
    told.stepEnded(1, "Test", "failure"),
    told.ended("failure", { a: "1" }),
  ];
  const live = emptyJobView();
  for (const event of events) applyJobEvent(live, event, 5);

  const again = viewOf(events);

  const { log: liveLog, steps: liveSteps, ...rest } = live;
  const { log, steps, ...restAgain } = again;
  expect(restAgain).toEqual(rest);
  expect(log.lines()).toEqual(liveLog.lines());
  expect(steps).toEqual(liveSteps.map(({ startedAtMs, ...step }) => step));
});

it("keeps the last lines of the first step that failed, not of what stands around it", () => {
  const view = viewOf([
    told.started(),
    told.step(1, "Set up job"),
    told.line(1, "Preparing"),
    told.stepEnded(1, "Set up job"),
    told.step(2, "Test"),
    told.line(2, "##[group]Run make"),
    told.line(2, "##[endgroup]"),
    told.line(2, "\u001b[31mboom\u001b[0m"),
    told.line(2, "##[error]Process completed with exit code 2."),
    told.stepEnded(2, "Test", "failure"),
    told.step(3, "Complete job"),
    told.line(3, "Cleaning up"),
  ]);

  expect(failedStep(view)?.name).toBe("Test");
  expect(view.log.lines()).toEqual([
    "Run make",
    "boom",
    "Error: Process completed with exit code 2.",
  ]);
});

it("keeps little of a log, whatever the job prints", () => {
  const view = viewOf([told.started(), told.step(1, "Chatter")]);

  for (let count = 0; count < 1_000; count += 1) {
    applyJobEvent(view, told.line(1, `${count} ${"x".repeat(5_000)}`), 0);
  }

  const lines = view.log.lines();
  expect(lines.at(-1)).toMatch(/^999 x+…$/);
  expect(lines.join("\n").length).toBeLessThan(8_001);
  expect(lines.length).toBeGreaterThan(10);
});

it("begins anew when the job runs again, but for annotations that GitHub has already", () => {
  const view = viewOf([
    told.started("a"),
    told.step(1, "Test"),
    told.annotation(1, { level: "warning", message: "first" }),
    told.stepEnded(1, "Test", "failure"),
    told.ended("failure"),
    told.started("b"),
  ]);

  expect(view).toMatchObject({ host: "b", steps: [], annotations: [{ message: "first" }] });
  expect([view.failed, view.ended, view.log.lines()]).toEqual([undefined, undefined, []]);
});
