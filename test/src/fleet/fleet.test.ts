import { afterEach, beforeEach, expect, it } from "@jest/globals";
import type { JobResult } from "../../../runner/job/execute-job.ts";
import type { JobDescription } from "../../../runner/job/job-description.ts";
import { adoptable } from "../../../src/adoption/adoptable.ts";
import { Fleet } from "../../../src/fleet/fleet.ts";
import { openStore } from "../../../src/store/open-store.ts";
import type { GitHubJobRecord, JobRecord, RunRecord } from "../../../src/store/records.ts";
import type { Store } from "../../../src/store/store.ts";
import { aSnapshot } from "../adoption/run-snapshot.ts";
import { aGitHubJob, aRun, temporaryFolder } from "../store/records.ts";
import { type ToldReport, toldReport } from "./job-world.ts";
import { quietLog } from "./quiet-log.ts";

const STEPS = "runs-on: berth, steps: [{ run: echo }]";
const isOurs = (labels: readonly string[]) => labels.includes("berth");

let folder: ReturnType<typeof temporaryFolder>;
let store: Store;
let lives: AbortController[];

beforeEach(async () => {
  folder = temporaryFolder();
  store = await openStore(folder.path);
  lives = [];
});
afterEach(async () => {
  for (const life of lives) life.abort("the test is over");
  await store[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

type Begun = {
  readonly description: JobDescription;
  readonly signal: AbortSignal;
  readonly report: ToldReport;
  end(result?: Partial<JobResult>): void;
};

/** One life of a fleet whose jobs run until they are told to end, or are cancelled. */
function life(jobs: string, { left }: { left?: string } = {}) {
  const stop = new AbortController();
  lives.push(stop);
  const begun = new Map<string, Begun>();
  const order: string[] = [];
  const explained: JobRecord[] = [];
  const released: string[] = [];
  const workflowText = `on: push\njobs:\n${jobs.replace(/^/gm, "  ")}`;
  const fleet = new Fleet(
    {
      ...{ store, log: quietLog() },
      claim: () => ({ isOurs, need: () => "", profile: () => undefined }),
      async adopt() {
        if (left !== undefined) return { kind: "left", reason: left };
        const facts = aSnapshot({ workflowText });
        const answer = await adoptable({ facts, isOurs, mixed: "run" });
        if (answer.kind === "no") throw new Error(answer.reason);
        return { ...answer, kind: "adopted", facts, carried: [] };
      },
      release: async ({ run }) => void released.push(run.record.id),
      legDeps: ({ run }) => ({
        kept: async () => undefined,
        admit: async (description) => ({
          ...{ description, repository: run.record.repository, priority: 0, retries: 0 },
          need: { gpus: 0, rootless: false, dind: false },
        }),
        startReport: () => toldReport(),
        async runJob({ description }, keeper, report, signal) {
          order.push(description.id);
          if (keeper.record.state === "queued") await keeper.change({ state: "running" });
          const ended = Promise.withResolvers<JobResult>();
          const end = (result: Partial<JobResult> = {}) =>
            ended.resolve({ conclusion: "success", outputs: {}, ...result });
          signal.addEventListener("abort", () => end({ conclusion: "cancelled" }));
          if (signal.aborted) end({ conclusion: "cancelled" });
          begun.set(description.id, { description, signal, report: report as ToldReport, end });
          return await ended.promise;
        },
      }),
      reportEnded: (record) => void explained.push(record),
    },
    stop.signal,
  );
  return {
    ...{ fleet, begun, order, explained, released },
    /** As kill -9 does: nothing of it goes on. */
    kill: () => stop.abort("killed"),
    async hear(job: Partial<GitHubJobRecord>) {
      const record = aGitHubJob(job.id ?? 1, { name: "a", ...job });
      await store.githubJobs.put(record);
      await fleet.hear({ type: "job", job: record });
    },
    job: (id: string) => until(() => begun.get(id)),
  };
}

async function until<T>(look: () => T | undefined | Promise<T | undefined>): Promise<T> {
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const runIn = (state: RunRecord["state"], id = "7-1") =>
  until(async () => {
    const run = await store.runs.get(id);
    return run?.state === state ? run : undefined;
  });

it("adopts a run with its first queued event, and runs each job once however often it is told", async () => {
  const { fleet, hear, job, order, released } = life(`a: { ${STEPS} }\nb: { needs: a, ${STEPS} }`);
  await fleet.resume();

  await hear({ status: "queued" });
  await hear({ status: "queued" });
  (await job("7-1.a")).end({ outputs: { o: "x" } });
  const b = await job("7-1.b");
  expect(b.description.contexts.needs).toEqual({ a: { result: "success", outputs: { o: "x" } } });
  b.end();

  expect(await runIn("ended")).toMatchObject({ conclusion: "success" });
  expect(order).toEqual(["7-1.a", "7-1.b"]);
  expect(released).toEqual(["7-1"]);
  expect(b.report.said).toEqual(["finished"]);
});

it("hears nothing before it has taken up what was left, and begins no run twice", async () => {
  const { fleet, hear, job, order } = life(`a: { ${STEPS} }`);
  await store.runs.put(aRun("7-1", { state: "new" }));

  const heard = hear({ status: "queued" });
  await fleet.resume();
  await heard;
  (await job("7-1.a")).end();
  await runIn("ended");

  expect(order).toEqual(["7-1.a"]);
});

it("goes on where the last life was: ended jobs count as they ended, others come back", async () => {
  const text = `leg: { strategy: { matrix: { n: [1, 2] } }, ${STEPS} }\nafter: { needs: leg, ${STEPS} }`;
  const first = life(text);
  await first.fleet.resume();
  await first.hear({ name: "leg (1)", status: "queued" });
  (await first.job("7-1.leg.2")).end({ outputs: { who: "second" } });
  await until(async () =>
    (await store.jobs.get("7-1.leg.2"))?.state === "completed" ? true : undefined,
  );
  await first.job("7-1.leg.1");
  first.kill();

  const second = life(text);
  await second.fleet.resume();
  (await second.job("7-1.leg.1")).end({ outputs: { who: "first" } });
  const after = await second.job("7-1.after");
  after.end();
  await runIn("ended");

  expect(after.description.contexts.needs).toMatchObject({ leg: { outputs: { who: "first" } } });
  expect(second.order).toEqual(["7-1.leg.1", "7-1.after"]);
});

it("comes back to running jobs of a cancelled run, to end them", async () => {
  const text = `a: { ${STEPS} }\nb: { needs: a, ${STEPS} }`;
  const first = life(text);
  await first.fleet.resume();
  await first.hear({ status: "queued" });
  await first.job("7-1.a");
  first.kill();
  const run = await runIn("adopted");
  await store.runs.put({ ...run, cancelled: { by: "anna", atMs: 1 } });

  const second = life(text);
  await second.fleet.resume();

  expect(await runIn("ended")).toMatchObject({ conclusion: "cancelled" });
  expect(second.order).toEqual(["7-1.a"]);
  expect(await store.jobs.get("7-1.a")).toMatchObject({ conclusion: "cancelled" });
  const names = (await store.jobs.ofRun("7-1")).map(({ name, state }) => `${name} ${state}`);
  expect(names).toEqual(["a completed", "b completed"]);
});

it("gives a concurrency group back to the run that held it", async () => {
  const text = `a: { concurrency: G, ${STEPS} }`;
  await store.runs.put(aRun("7-1", { createdAtMs: 1 }));
  await store.runs.put(aRun("8-1", { githubRunId: 8, createdAtMs: 2 }));
  const held = { jobKey: "a", name: "a", labels: ["berth"], workflowFile: "ci.yml" };
  await store.jobs.put({
    ...(await recordOf("8-1.a", "8-1")),
    ...held,
    state: "running",
  });
  const next = life(text);
  await next.fleet.resume();

  const back = await next.job("8-1.a");
  expect(next.order).toEqual(["8-1.a"]);
  back.end();
  (await next.job("7-1.a")).end();
  await Promise.all([runIn("ended", "7-1"), runIn("ended", "8-1")]);

  expect(next.order).toEqual(["8-1.a", "7-1.a"]);
});

it("stops the copy of a job that another runner took, and counts that one's result", async () => {
  const { fleet, hear, job } = life(`a: { ${STEPS} }\nb: { needs: a, ${STEPS} }`);
  await fleet.resume();
  await hear({ status: "queued" });
  const a = await job("7-1.a");

  await hear({ status: "in_progress", runnerName: "old-box" });
  expect(a.signal.aborted).toBe(true);
  await hear({ status: "completed", conclusion: "success", runnerName: "old-box" });
  (await job("7-1.b")).end();

  await runIn("ended");
  expect(await store.jobs.get("7-1.a")).toMatchObject({
    conclusion: "neutral",
    reason: expect.stringContaining("old-box took this job"),
  });
});

it("cancels a job for a person, once, and knows which are over or were never there", async () => {
  const { fleet, hear, job } = life(`a: { ${STEPS} }`);
  await fleet.resume();
  await hear({ status: "queued" });
  await job("7-1.a");

  expect(await fleet.cancel("7-1.a", "anna")).toBe(true);
  await runIn("ended");

  expect(await store.jobs.get("7-1.a")).toMatchObject({
    ...{ conclusion: "cancelled", reason: "Cancelled by anna." },
    cancelRequest: { by: "anna" },
  });
  expect(await fleet.cancel("7-1.a", "anna")).toBe(false);
  expect(await fleet.cancel("7-1.z", "anna")).toBeUndefined();
});

it("obeys a cancel that the last life was asked for", async () => {
  const first = life(`a: { ${STEPS} }`);
  await first.fleet.resume();
  await first.hear({ status: "queued" });
  await first.job("7-1.a");
  first.kill();
  const record = await store.jobs.get("7-1.a");
  if (record === undefined) throw new Error("no record");
  await store.jobs.put({ ...record, cancelRequest: { by: "anna", atMs: 1 } });

  const second = life(`a: { ${STEPS} }`);
  await second.fleet.resume();
  await runIn("ended");

  expect(await store.jobs.get("7-1.a")).toMatchObject({ reason: "Cancelled by anna." });
});

it.each<[string, Partial<GitHubJobRecord>, string]>([
  ["failure", { status: "completed", conclusion: "failure" }, "failure"],
  ["cancelled", { status: "completed", conclusion: "cancelled", completedAtMs: 9e9 }, "cancelled"],
])("never starts a job whose environment was not approved: %s", async (_, end, conclusion) => {
  const { fleet, hear, order } = life(`a: { environment: prod, ${STEPS} }`);
  await fleet.resume();
  await hear({ status: "waiting" });
  await until(() => fleet.controls.get("7-1.a")?.keeper.record.reason);

  await hear(end);
  await runIn("ended");

  expect(order).toEqual([]);
  expect(await store.jobs.get("7-1.a")).toMatchObject({ conclusion });
});

it("starts a job with an environment when GitHub queues it, and goes on with it whatever GitHub does then", async () => {
  const text = `a: { environment: prod, ${STEPS} }`;
  const first = life(text);
  await first.fleet.resume();
  await first.hear({ status: "waiting" });
  await first.hear({ status: "queued" });
  await first.job("7-1.a");
  first.kill();
  await store.githubJobs.put(
    aGitHubJob(1, { name: "a", status: "completed", conclusion: "failure" }),
  );

  const second = life(text);
  await second.fleet.resume();
  (await second.job("7-1.a")).end();
  await runIn("ended");

  expect(await store.jobs.get("7-1.a")).toMatchObject({ conclusion: "success" });
});

it("says of each queued job of ours why its run is left, also of those that come late", async () => {
  const { fleet, hear, explained } = life("", { left: "Denied by policy.events." });
  await fleet.resume();
  await hear({ id: 1, name: "a", status: "queued" });
  await runIn("left");
  await until(() => explained[0]);
  await hear({ id: 2, name: "b", status: "queued" });
  await hear({ id: 2, name: "b", status: "queued" });
  await hear({ id: 3, name: "c", status: "queued", labels: ["ubuntu-latest"] });

  const said = explained.map(({ name, conclusion, reason }) => [name, conclusion, reason]);
  expect(said).toEqual(
    ["a", "b"].map((name) => [name, "action_required", "Denied by policy.events."]),
  );
});

it("keeps a record of jobs that never began, and never takes one for another's", async () => {
  const { fleet, hear, explained, job } = life(
    `a: { name: b, if: false, ${STEPS} }\nb: { name: c, ${STEPS} }`,
  );
  await fleet.resume();
  await hear({ name: "c", status: "queued" });
  (await job("7-1.b")).end();
  await runIn("ended");

  expect(explained.map(({ name, conclusion }) => [name, conclusion])).toEqual([["b", "skipped"]]);
  expect(await store.jobs.get("7-1.b")).toMatchObject({ name: "c", conclusion: "success" });
});

it("tells what the last life had no time to tell", async () => {
  await store.runs.put(aRun("7-1", { state: "ended" }));
  await store.jobs.put({ ...(await recordOf("7-1.a", "7-1")), state: "completed" });
  const { fleet, explained } = life("");

  await fleet.resume();

  expect(explained.map(({ id }) => id)).toEqual(["7-1.a"]);
});

async function recordOf(id: string, runId: string): Promise<JobRecord> {
  const { repository, installationId, headSha } = aRun(runId);
  return {
    ...{ id, runId, repository, installationId, headSha, name: "a", labels: ["berth"] },
    ...{ state: "queued", retries: 0, isReported: false, createdAtMs: 1 },
  };
}
