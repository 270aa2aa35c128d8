import { afterEach, beforeEach, expect, it } from "@jest/globals";
import { BerthError } from "../../../runner/errors.ts";
import { answerService } from "../../../src/fleet/answer-service.ts";
import { Fleet, type FleetDeps } from "../../../src/fleet/fleet.ts";
import { tellInterruptions } from "../../../src/fleet/interruptions.ts";
import { watchHosts } from "../../../src/fleet/watch-hosts.ts";
import type { ServiceApi } from "../../../src/server/service-api.ts";
import { jobFolder } from "../../../src/store/job-folder.ts";
import { openJobJournal } from "../../../src/store/job-journal.ts";
import type { JobRecord } from "../../../src/store/records.ts";
import { aRequest } from "../scheduler/scheduler-world.ts";
import { aJob, temporaryFolder } from "../store/records.ts";
import { type JobWorld, openJobWorld, toldReport } from "./job-world.ts";
import { quietLog } from "./quiet-log.ts";

const ONCE = { follow: false, signal: new AbortController().signal };
let folder: ReturnType<typeof temporaryFolder>;
let world: JobWorld;
let fleet: Fleet;
let api: ServiceApi;
let keptRecord: JobRecord | undefined;

beforeEach(async () => {
  keptRecord = undefined;
  folder = temporaryFolder();
  world = await openJobWorld(folder.path);
  const { store, scheduler, host } = world;
  const log = quietLog();
  fleet = new Fleet({ store, log } as unknown as FleetDeps, new AbortController().signal);
  await fleet.resume();
  const hostWatch = watchHosts([host], { scheduler, store: store.hosts, log });
  api = answerService({
    ...{ store, storeFolder: folder.path, fleet, scheduler, hostWatch },
    kept: { record: () => keptRecord, records: () => [], end: async () => false },
    hostOf: (name) => (name === host.name ? host : undefined),
    heartbeats: () => [],
  });
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

it("says why a job waits as it is now, though only the first reason is kept", async () => {
  const keeper = await world.keeper({});
  using _control = fleet.controls.open(keeper);
  await keeper.change({ reason: "9 jobs are before it." }, "Waits: 9 jobs are before it.");
  keeper.tell({ reason: "1 job is before it." });

  expect(await api.why("7-1.a")).toEqual([
    "promise waits. 1 job is before it.",
    expect.stringMatching(/^\d{4}-.* Waits: 9 jobs are before it\.$/),
  ]);
  expect((await api.jobs({ isOpen: true, limit: 9 }))[0]?.reason).toBe("1 job is before it.");
});

it.each([
  [{ state: "running", host: "here", retries: 1 }, "test runs on here. It is try 2."],
  [
    { state: "completed", conclusion: "failure", reason: "Out of memory." },
    "test has ended: failure. Out of memory.",
  ],
  [{ state: "completed", conclusion: "success" }, "test has ended: success."],
] as const)("says how a job is: %j", async (given, sentence) => {
  await world.store.jobs.put(aJob("7-1.a", given));

  expect(await api.why("7-1.a")).toEqual([sentence]);
});

it("says that a job cannot be heard, and what is kept of one that was lost with its host", async () => {
  const keeper = await world.keeper({ state: "running", host: "here" });
  using _control = fleet.controls.open(keeper);
  const report = toldReport();
  const told = tellInterruptions(keeper, {
    ...{ host: "here", report, log: quietLog() },
    now: () => new Date("2026-01-02T03:04:05Z"),
  });
  const { signal } = new AbortController();
  const lease = await world.scheduler.place(aRequest("7-1.a", { need: { gpus: 1 } }), {
    onWait() {},
    signal,
  });

  told.cut(new BerthError("SHELL_LOST", { message: "The way is gone." }));
  const [whileCut] = (await api.why("7-1.a")) ?? [];
  told.cut(undefined);
  await lease.keepLost({ execution: "7-1.a.retry1", untilMs: Date.parse("2026-01-02T05:00:00Z") });
  const why = (await api.why("7-1.a")) ?? [];

  expect(whileCut).toBe(
    "promise runs on here. The connection to its host here was cut at 2026-01-02T03:04:05.000Z, and is made anew as soon as that can be; while the host is up the job goes on there. The way is gone.",
  );
  expect(report.said).toEqual([expect.stringMatching(/was cut at/), "goes on"]);
  expect(why.slice(0, 2)).toEqual([
    "promise runs on here.",
    "What it was leased on here (GPU-here-0) is kept until nothing of 7-1.a.retry1 runs there any more, at the latest 2026-01-02 05:00 UTC.",
  ]);
});

it("shows the log of a job's last try", async () => {
  await world.store.jobs.put(aJob("7-1.a", { state: "completed", retries: 1 }));
  {
    await using journal = await openJobJournal(jobFolder(folder.path, "7-1.a.retry1"));
    const of = { job: "a", name: "test" };
    journal.record({ type: "log", ...of, step: 1, line: "hello" });
    journal.record({ type: "job_finished", ...of, conclusion: "success", outputs: {}, ms: 1 });
  }

  const lines: string[] = [];
  for await (const line of (await api.log("7-1.a", ONCE)) ?? []) lines.push(line);

  expect(lines).toEqual(["hello"]);
});

it("ends the log of a job that is kept with how to get in, also one that is followed to its end", async () => {
  const of = { job: "a", name: "test" };
  {
    await using journal = await openJobJournal(jobFolder(folder.path, "7-1.a"));
    journal.record({ type: "log", ...of, step: 1, line: "hello" });
    journal.record({ type: "job_finished", ...of, conclusion: "failure", outputs: {}, ms: 1 });
  }
  const keeper = await world.keeper({ state: "running" });
  using _control = fleet.controls.open(keeper);
  const lines: string[] = [];

  for await (const line of (await api.log("7-1.a", { ...ONCE, follow: true })) ?? []) {
    lines.push(line);
    // Nothing more comes before the job has its end.
    const login = { ssh: "ssh runner@here" };
    await keeper.change({ state: "completed", kept: { untilMs: 0, keys: [], login } });
    keptRecord = keeper.record;
  }

  expect(lines).toEqual([
    "hello",
    expect.stringContaining("kept until 00:00 UTC, for somebody to look into it."),
    "  berth jobs ssh 7-1.a",
    "  ssh runner@here",
  ]);
  expect(await api.why("7-1.a")).toContainEqual(
    expect.stringMatching(/It is kept until 00:00 UTC for a look\.$/),
  );
});

it("knows no job that is not there", async () => {
  expect(await api.job("7-1.z")).toBeUndefined();
  expect(await api.why("7-1.z")).toBeUndefined();
  expect(await api.log("7-1.z", ONCE)).toBeUndefined();
  expect(await api.cancel("7-1.z", "anna")).toBeUndefined();
  expect(await api.setDrained("far", true)).toBe(false);
});
