import { describe, expect, it } from "@jest/globals";
import type { JobEvent } from "../../../runner/job/job-event.ts";
import { aJob, type RunOptions, run } from "./job-fixture.ts";

const quick = { graceMs: [300, 300] as const };
const sleepy = {
  shell: "python3 {0}",
  run: "import time\nprint('begun', flush=True)\ntime.sleep(60)",
};

/** Runs `then` once, when a line is logged. */
function onLine(wanted: string, then: () => void): NonNullable<RunOptions["report"]> {
  return (event: JobEvent) => {
    if (event.type === "log" && event.line === wanted) then();
  };
}

describe("a cancelled job", () => {
  it("stops the running step, skips the others, and still cleans up", async () => {
    const cancel = new AbortController();

    const { result, log, steps } = await run(
      aJob([
        sleepy,
        { run: "echo never" },
        { if: "failure()", run: "echo never" },
        { if: "cancelled()", run: "echo cancelled" },
        { if: "always()", run: "echo always" },
      ]),
      { ...quick, signal: cancel.signal, report: onLine("begun", () => cancel.abort()) },
    );

    expect(result.conclusion).toBe("cancelled");
    expect(steps).toEqual([
      "cancelled/cancelled",
      "skipped/skipped",
      "skipped/skipped",
      "success/success",
      "success/success",
    ]);
    expect(log.slice(-3)).toEqual(["##[error]The operation was canceled.", "cancelled", "always"]);
  });

  it("lets a step go on that runs always", async () => {
    const cancel = new AbortController();
    const { result, log, steps } = await run(
      aJob([{ if: "always()", run: "echo begun; sleep 0.2; echo done" }, { run: "echo never" }]),
      { ...quick, signal: cancel.signal, report: onLine("begun", () => cancel.abort()) },
    );

    expect(result.conclusion).toBe("cancelled");
    expect(log).toEqual(["begun", "done"]);
    expect(steps).toEqual(["success/success", "skipped/skipped"]);
  });

  it("ends at once when it is cancelled a second time", async () => {
    const cancel = new AbortController();
    const kill = new AbortController();

    const { result, steps } = await run(
      aJob([
        { if: "always()", ...sleepy },
        { if: "always()", run: "echo never" },
      ]),
      {
        signal: cancel.signal,
        kill: kill.signal,
        report: onLine("begun", () => {
          cancel.abort();
          kill.abort();
        }),
      },
    );

    expect(result).toMatchObject({ conclusion: "cancelled", reason: expect.any(String) });
    expect(steps).toEqual(["cancelled/cancelled"]);
  });

  it("is torn down when its clean-up takes too long", async () => {
    const cancel = new AbortController();
    const { result } = await run(aJob([{ if: "always()", ...sleepy }]), {
      cancelTimeoutMs: 100,
      signal: cancel.signal,
      report: onLine("begun", () => cancel.abort()),
    });

    expect(result.conclusion).toBe("cancelled");
  });

  it("does not begin when it was cancelled before", async () => {
    const { result, steps } = await run(aJob([{ run: "echo never" }]), {
      signal: AbortSignal.abort(),
    });

    expect(result.conclusion).toBe("cancelled");
    expect(steps).toEqual([]);
  });
});

describe("time that is up", () => {
  it("fails a step, which continue-on-error forgives", async () => {
    const { log, steps, result } = await run(
      aJob([
        { ...sleepy, name: "slow", timeoutMinutes: 0.02, continueOnError: true },
        { run: "echo next" },
      ]),
      quick,
    );

    expect(result.conclusion).toBe("success");
    expect(steps).toEqual(["failure/success", "success/success"]);
    expect(log.slice(-2)).toEqual([
      "##[error]The action 'slow' has timed out after 0.02 minutes.",
      "next",
    ]);
  });

  it("cancels the job, which says so and cleans up", async () => {
    const { log, result, annotations } = await run(
      aJob([sleepy, { if: "always()", run: "echo tidied" }], { timeoutMinutes: 0.01 }),
      quick,
    );

    expect(result.conclusion).toBe("cancelled");
    expect(log.at(-1)).toBe("tidied");
    expect(annotations[0]).toMatch(/exceeded the maximum execution time of 0.01 minutes\.$/);
  });
});
