import { afterEach, beforeEach, expect, it } from "@jest/globals";
import { answerService } from "../../../src/fleet/answer-service.ts";
import { Fleet, type FleetDeps } from "../../../src/fleet/fleet.ts";
import { watchHosts } from "../../../src/fleet/watch-hosts.ts";
import type { ServiceApi } from "../../../src/server/service-api.ts";
import { jobFolder } from "../../../src/store/job-folder.ts";
import { openJobJournal } from "../../../src/store/job-journal.ts";
import { aJob, temporaryFolder } from "../store/records.ts";
import { type JobWorld, openJobWorld } from "./job-world.ts";
import { quietLog } from "./quiet-log.ts";

const ONCE = { follow: false, signal: new AbortController().signal };
let folder: ReturnType<typeof temporaryFolder>;
let world: JobWorld;
let fleet: Fleet;
let api: ServiceApi;

beforeEach(async () => {
  folder = temporaryFolder();
  world = await openJobWorld(folder.path);
  const { store, scheduler, host } = world;
  const log = quietLog();
  fleet = new Fleet({ store, log } as unknown as FleetDeps, new AbortController().signal);
  await fleet.resume();
  const hostWatch = watchHosts([host], { scheduler, store: store.hosts, log });
  api = answerService({
    ...{ store, storeFolder: folder.path, fleet, scheduler, hostWatch },
    kept: { record: () => undefined, records: () => [], end: async () => false },
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

it("knows no job that is not there", async () => {
  expect(await api.job("7-1.z")).toBeUndefined();
  expect(await api.why("7-1.z")).toBeUndefined();
  expect(await api.log("7-1.z", ONCE)).toBeUndefined();
  expect(await api.cancel("7-1.z", "anna")).toBeUndefined();
  expect(await api.setDrained("far", true)).toBe(false);
});
