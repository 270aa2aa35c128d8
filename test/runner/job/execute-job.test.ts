import { describe, expect, it } from "@jest/globals";
import { aJob, run } from "./job-fixture.ts";

describe("a job", () => {
  it("runs its steps in order and succeeds", async () => {
    const { result, log, steps, events } = await run(
      aJob([{ run: "echo one" }, { run: "echo two" }]),
    );

    expect(result).toEqual({ conclusion: "success", outputs: {} });
    expect(log).toEqual(["one", "two"]);
    expect(steps).toEqual(["success/success", "success/success"]);
    expect(events[0]).toMatchObject({ type: "job_started", job: "promise" });
    expect(events.at(-1)).toMatchObject({ type: "job_finished", conclusion: "success" });
  });
});
