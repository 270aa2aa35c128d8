import { expect, it } from "@jest/globals";
import { JobControls } from "../../../src/fleet/job-controls.ts";
import { JobKeeper } from "../../../src/fleet/job-keeper.ts";
import type { JobRecord } from "../../../src/store/records.ts";
import type { Store } from "../../../src/store/store.ts";
import { aJob } from "../store/records.ts";

const store = {} as Pick<Store, "jobs" | "history">;
const keeperOf = (id: string, given: Partial<JobRecord> = {}) =>
  new JobKeeper(aJob(id, given), store);

it("finds a job by its id and by its run and name, until it has ended", () => {
  const controls = new JobControls();
  {
    using control = controls.open(keeperOf("7-1.a", { name: "a", state: "running" }));
    using _other = controls.open(keeperOf("8-1.a", { name: "a", runId: "8-1" }));

    expect(controls.get("7-1.a")).toBe(control);
    expect(controls.named("7-1", "a")).toBe(control);
    expect(controls.named("7-1", "b")).toBeUndefined();
    expect(controls.running).toBe(1);
  }

  expect(controls.get("7-1.a")).toBeUndefined();
  expect(controls.running).toBe(0);
});

it("stops a job for the first reason that is given", () => {
  using control = new JobControls().open(keeperOf("7-1.a"));

  control.stop({ kind: "taken", runner: "old-box" });
  control.stop({ kind: "cancelled", by: "anna" });

  expect(control.stopped).toEqual({ kind: "taken", runner: "old-box" });
  expect(control.signal.reason).toBe("The runner old-box took the job.");
});

it("keeps the control of a new life when the one before is let go", () => {
  const controls = new JobControls();
  const before = controls.open(keeperOf("7-1.a"));
  using now = controls.open(keeperOf("7-1.a"));

  before[Symbol.dispose]();

  expect(controls.get("7-1.a")).toBe(now);
});
