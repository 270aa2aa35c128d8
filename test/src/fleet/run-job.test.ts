import { afterEach, beforeEach, expect, it } from "@jest/globals";
import { BerthError } from "../../../runner/errors.ts";
import { executionId, executionJobId } from "../../../src/fleet/execution-id.ts";
import { runJob } from "../../../src/fleet/run-job.ts";
import { aJob } from "../../runner/job/job-fixture.ts";
import { aRequest } from "../scheduler/scheduler-world.ts";
import { admitted, openJobWorld, temporaryWorld, toldReport } from "./job-world.ts";

let world: Awaited<ReturnType<typeof temporaryWorld>>;

beforeEach(async () => {
  world = await temporaryWorld();
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

/** What a job holds, and what is left of it. */
async function held() {
  const { store, host, tokens } = world;
  return {
    leases: (await store.leases.all()).length,
    freeGpus: world.freeGpus(),
    remains: await host.jobsWithRemains(),
    tokens: tokens.size,
  };
}
const NOTHING = { leases: 0, freeGpus: 1, remains: [], tokens: 0 };

it("runs a job on a lease, with a token, and leaves nothing of it", async () => {
  const keeper = await world.keeper({});
  const report = toldReport();
  const job = aJob([{ run: 'test "$T" && echo hello', env: { map: [["T", "x"]] } }]);

  const result = await runJob(
    admitted(job),
    keeper,
    { ...world.deps, report },
    new AbortController().signal,
  );

  expect(result.conclusion).toBe("success");
  expect(report.lines).toContain("hello");
  expect(keeper.record).toMatchObject({ state: "running", host: "here" });
  expect(await held()).toEqual(NOTHING);
});

it("gives the GPU back and leaves nothing behind when a running job is cancelled", async () => {
  const keeper = await world.keeper({});
  const report = toldReport();
  const cancel = new AbortController();
  const begun = report.line("begun");

  const running = runJob(
    admitted(aJob([{ run: "echo begun; exec sleep 60" }])),
    keeper,
    { ...world.deps, report },
    cancel.signal,
  );
  await begun;
  expect(await held()).toMatchObject({ leases: 1, freeGpus: 0, tokens: 1 });
  cancel.abort("Cancelled by anna.");

  expect((await running).conclusion).toBe("cancelled");
  expect(await held()).toEqual(NOTHING);
});

it("waits for a place, says why, and is cancelled without ever having one", async () => {
  const signal = new AbortController().signal;
  await using _other = await world.scheduler.place(aRequest("other", { need: { gpus: 1 } }), {
    onWait: () => {},
    signal,
  });
  const keeper = await world.keeper({});
  const report = toldReport();
  const cancel = new AbortController();

  const running = runJob(admitted(aJob([])), keeper, { ...world.deps, report }, cancel.signal);
  while (keeper.record.reason === undefined) await new Promise((r) => setImmediate(r));
  expect((await world.store.jobs.get("7-1.a"))?.reason).toBe(keeper.record.reason);
  cancel.abort("Cancelled by anna.");

  expect(await running).toMatchObject({ conclusion: "cancelled", reason: "Cancelled by anna." });
  expect(report.said).toEqual([expect.stringMatching(/^waits: .*leased to other/)]);
  expect(await world.store.history.ofJob("7-1.a")).toHaveLength(1);
});

it("waits on though the reason cannot be kept", async () => {
  const signal = new AbortController().signal;
  const other = await world.scheduler.place(aRequest("other", { need: { gpus: 1 } }), {
    onWait: () => {},
    signal,
  });
  const keeper = await world.keeper({});
  const full = () => Promise.reject(new Error("the disk is full"));
  keeper.change = full;
  const report = toldReport();

  const running = runJob(admitted(aJob([])), keeper, { ...world.deps, report }, signal);
  while (report.said.length === 0) await new Promise((r) => setImmediate(r));
  Reflect.deleteProperty(keeper, "change");
  await other[Symbol.asyncDispose]();

  expect((await running).conclusion).toBe("success");
});

it("tells how a job ended whose service died before it noted that, and ends its token", async () => {
  const keeper = await world.keeper({});
  const signal = new AbortController().signal;
  const first = { ...world.deps, report: toldReport() };
  const job = admitted(aJob([{ run: "echo once >> $LOG; exit 3" }]));
  expect((await runJob(job, keeper, first, signal)).conclusion).toBe("failure");

  const report = toldReport();
  const again = await runJob(job, keeper, { ...world.deps, report }, signal);

  expect(again.conclusion).toBe("failure");
  expect(report.said).toEqual(["recalls"]);
  expect(await held()).toEqual(NOTHING);
});

it("runs again what its host has failed, as often as its profile says, each with a check of its own", async () => {
  const keeper = await world.keeper({ checkRunId: 5 });
  const report = toldReport();
  const lost: typeof world.deps.hostOf = (name) =>
    keeper.record.retries === 0 ? undefined : world.deps.hostOf(name);

  const result = await runJob(
    admitted(aJob([{ run: "echo hello" }]), { retries: 1 }),
    keeper,
    { ...world.deps, report, hostOf: lost },
    new AbortController().signal,
  );

  expect(result.conclusion).toBe("success");
  expect(report.said).toEqual(["restarts"]);
  expect(keeper.record).toMatchObject({ retries: 1, host: "here" });
  expect(keeper.record.checkRunId).toBeUndefined();
  expect(executionId(keeper.record)).toBe("7-1.a.retry1");
  expect(executionJobId("7-1.a.retry1")).toBe("7-1.a");
});

it("says that a host is not in the configuration any more", async () => {
  const keeper = await world.keeper({});
  const deps = { ...world.deps, hostOf: () => undefined, report: toldReport() };

  const result = await runJob(admitted(aJob([])), keeper, deps, new AbortController().signal);

  expect(result).toMatchObject({ conclusion: "failure", death: "engine-lost" });
  expect(result.reason).toMatch(/here, which is not in berth.yml/);
  expect(await held()).toEqual(NOTHING);
});

it("fails a job for which GitHub refuses a token", async () => {
  const keeper = await world.keeper({});
  const refused = new BerthError("GITHUB_REFUSED", { message: "The App is suspended." });
  const openTokens: typeof world.deps.openTokens = async (...asked) => ({
    ...(await world.deps.openTokens(...asked)),
    fresh: () => Promise.reject(refused),
  });

  const result = await runJob(
    admitted(aJob([])),
    keeper,
    { ...world.deps, openTokens, report: toldReport() },
    new AbortController().signal,
  );

  expect(result).toMatchObject({ conclusion: "failure", reason: "The App is suspended." });
  expect(await held()).toEqual(NOTHING);
});

it("comes back to the lease of an earlier life, even to end a job that was cancelled since", async () => {
  const { signal } = new AbortController();
  await world.keeper({});
  await world.scheduler.place(aRequest("7-1.a", { need: { gpus: 1 } }), {
    onWait: () => {},
    signal,
  });
  await world.store[Symbol.asyncDispose]();
  await using next = await openJobWorld(world.path);
  expect(next.freeGpus()).toBe(0);

  const report = toldReport();
  const cancelled = AbortSignal.abort("Cancelled by anna.");
  const deps = { ...next.deps, report };
  const own = await next.keeper({});
  const result = await runJob(admitted(aJob([{ run: "echo never" }])), own, deps, cancelled);

  expect(result.conclusion).toBe("cancelled");
  expect(report.lines).not.toContain("never");
  expect(next.freeGpus()).toBe(1);
  expect(await next.store.leases.all()).toEqual([]);
});
