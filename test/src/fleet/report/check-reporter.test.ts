import { setImmediate as turn } from "node:timers/promises";
import { expect, it } from "@jest/globals";
import {
  type CheckReporterOptions,
  startCheckReporter,
} from "../../../../src/fleet/report/check-reporter.ts";
import type { JobRecord } from "../../../../src/store/records.ts";
import { handClock, recordedChecks } from "./recorded-checks.ts";
import { jobRecord, told } from "./told-job.ts";

function github(options: Partial<CheckReporterOptions> = {}) {
  const recorded = recordedChecks();
  const clock = handClock();
  const stop = new AbortController();
  const logged: string[] = [];
  const kept: number[] = [];
  const write = (_: unknown, message?: string) => void logged.push(message ?? "");
  const start = (job: Partial<JobRecord> = {}) =>
    startCheckReporter({
      installation: recorded.installation,
      job: jobRecord(job),
      workflowFile: "ci.yml",
      onCreated: async (id) => void kept.push(id),
      runningJobs: () => 1,
      log: { error: write, warn: write, info: write, debug: write } as CheckReporterOptions["log"],
      signal: stop.signal,
      now: clock.now,
      sleep: clock.sleep,
      ...options,
    });
  return { ...recorded, clock, stop, logged, kept, start };
}

const error = (message: string) => told.annotation(1, { level: "error", message });
const errors = (count: number) => Array.from({ length: count }, (_, at) => error(String(at)));

it("makes the check with what the job waits for, keeps its id, and tells its end", async () => {
  const { start, calls, checks, kept } = github();
  await using reporter = start();
  reporter.waiting("no host is free.");
  await reporter.flush();

  expect(kept).toEqual([1]);
  expect(checks.get(1)).toMatchObject({ name: "Berth / Build", status: "queued" });
  expect(await reporter.finished({ conclusion: "success" })).toBe("sent");
  expect(calls).toEqual(["create queued: Waits: no host is free.", "success: Succeeded"]);
});

it("tells the first reason at once, then the newest once a minute", async () => {
  const { start, clock, calls, called } = github();
  await using reporter = start();
  await reporter.flush();

  reporter.waiting("a.");
  await called(2);
  await turn();
  clock.advance(59_999);
  reporter.waiting("b.");
  reporter.waiting("c.");
  await turn();
  expect(calls).toHaveLength(2);
  clock.advance(1);
  await called(3);

  expect(calls).toEqual([
    "create queued: Waits for a place",
    ...["queued: Waits: a.", "queued: Waits: c."],
  ]);
});

it("updates what runs every 5 seconds, however much happens, and not when nothing does", async () => {
  const { start, clock, calls, called } = github();
  await using reporter = start();
  await reporter.flush();

  reporter.hear(told.started());
  reporter.hear(told.step(1, "Test"));
  for (let count = 0; count < 10_000; count += 1) reporter.hear(told.line(1, String(count)));
  await turn();
  clock.advance(5_000);
  await called(2);
  clock.advance(60_000);
  await turn();

  expect(calls.slice(1)).toEqual(["in_progress: Running on gpu-1: step 1, Test"]);
});

it("takes its time when the installation has few requests left", async () => {
  const { start, clock, calls, called, setLimit } = github({ runningJobs: () => 10 });
  setLimit({ remaining: 1_000, limit: 5_000, resetAtMs: 3_600_000 });
  await using reporter = start();
  await reporter.flush();

  reporter.hear(told.started());
  await turn();
  clock.advance(71_000);
  await turn();
  expect(calls).toHaveLength(1);
  clock.advance(1_000);
  await called(2);
});

it("sends the end until GitHub takes it", async () => {
  const { start, clock, called, calls, checks, faults, logged } = github();
  await using reporter = start();
  reporter.hear(told.started());
  await reporter.flush();
  faults.push(
    () => "fail",
    () => "fail",
  );

  const finished = reporter.finished({ conclusion: "failure", reason: "Out of memory." });
  await called(2);
  await turn();
  clock.advance(1_000);
  await called(3);
  await turn();
  clock.advance(2_000);

  expect(await finished).toBe("sent");
  expect(calls.slice(1)).toEqual(Array.from({ length: 3 }, () => "failure: Out of memory."));
  expect(checks.get(1)).toMatchObject({ status: "completed", conclusion: "failure" });
  expect(logged).toEqual(["check run not updated, trying again"]);
});

it("gives up what GitHub refuses, says so once, and disturbs nobody", async () => {
  const { start, calls, faults, logged } = github();
  faults.push(() => "refuse");
  await using reporter = start();
  await reporter.flush();

  reporter.hear(told.started());
  expect(await reporter.finished({ conclusion: "success" })).toBe("refused");
  expect(calls).toHaveLength(1);
  expect(logged).toEqual(["check run refused by GitHub"]);
});

it("sends annotations 50 at a time, and only with the last of them that the job is done", async () => {
  const { start, calls, checks } = github();
  await using reporter = start();
  await reporter.flush();
  for (const event of [told.started(), told.step(1, "Lint"), ...errors(120)]) reporter.hear(event);

  await reporter.finished({ conclusion: "failure", reason: "Bad." });

  expect(calls.slice(1)).toEqual([
    "count",
    "in_progress +50: Running on gpu-1: step 1, Lint",
    "in_progress +50: Running on gpu-1: step 1, Lint",
    "failure +20: Bad.",
  ]);
  expect(checks.get(1)?.annotations.map(({ message }) => Number(message))).toEqual(
    Array.from({ length: 120 }, (_, at) => at),
  );
});

it("goes on after a restart without sending an annotation twice", async () => {
  const { start, checks, calls } = github();
  const first = start();
  const before = [told.started(), told.step(1, "Lint"), error("a"), error("b")];
  for (const event of before) first.hear(event);
  await first.flush();
  await first[Symbol.asyncDispose]();

  await using second = start({ checkRunId: 1, state: "running", startedAtMs: 5 });
  await second.recall(before);
  second.hear(error("c"));
  await second.finished({ conclusion: "success" });

  expect(calls.filter((call) => call.startsWith("create"))).toHaveLength(1);
  expect(checks.get(1)).toMatchObject({
    ...{ conclusion: "success", startedAtMs: 5 },
    annotations: [{ message: "a" }, { message: "b" }, { message: "c" }],
  });
});

it("looks what GitHub has after an update that may have been done", async () => {
  const { start, clock, called, checks, faults } = github();
  await using reporter = start();
  await reporter.flush();
  faults.push(() => "lose");
  for (const event of [told.started(), error("a")]) reporter.hear(event);

  const finished = reporter.finished({ conclusion: "success" });
  await called(3);
  await turn();
  clock.advance(1_000);
  await finished;

  expect(checks.get(1)?.annotations).toHaveLength(1);
});

it("shows the conclusion even when GitHub refuses an annotation", async () => {
  const { start, checks, faults, logged } = github();
  await using reporter = start();
  await reporter.flush();
  faults.push((annotations) => (annotations.length > 0 ? "refuse" : undefined));
  for (const event of [told.started(), error("bad")]) reporter.hear(event);

  expect(await reporter.finished({ conclusion: "failure" })).toBe("sent");
  expect(checks.get(1)).toMatchObject({ conclusion: "failure", annotations: [] });
  expect(logged).toEqual(["annotations refused by GitHub"]);
});

it("goes back to waiting when the job is run again", async () => {
  const { start, checks } = github();
  await using reporter = start();
  for (const event of [told.started(), told.step(1, "Lint")]) reporter.hear(event);
  await reporter.flush();

  reporter.waiting("its host was lost; it runs again.");
  await reporter.flush();

  expect(checks.get(1)).toMatchObject({
    ...{ status: "queued", title: "Waits: its host was lost; it runs again." },
    summary: expect.not.stringContaining("Lint"),
  });
});

it.each(["fail", "hang"] as const)(
  "ends with the process when GitHub's answers %s",
  async (fault) => {
    const { start, stop, faults, called } = github();
    faults.push(() => fault);
    const reporter = start();
    const finished = reporter.finished({ conclusion: "success" });
    await called(1);

    stop.abort();

    expect(await finished).toBe("stopped");
    await reporter[Symbol.asyncDispose]();
  },
);
