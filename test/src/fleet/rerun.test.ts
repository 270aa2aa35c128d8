import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { readWorkflow } from "../../../runner/workflow/read-workflow.ts";
import { isRepeated, keptResult, latestRuns, rerunRecord } from "../../../src/fleet/rerun.ts";
import { openStore } from "../../../src/store/open-store.ts";
import type { JobRecord } from "../../../src/store/records.ts";
import type { Store } from "../../../src/store/store.ts";
import { aGitHubJob, aJob, aRun, temporaryFolder } from "../store/records.ts";

let folder: ReturnType<typeof temporaryFolder>;
let store: Store;

beforeEach(async () => {
  folder = temporaryFolder();
  store = await openStore(folder.path);
});
afterEach(async () => {
  await store[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

describe("a re-run", () => {
  it("is a run of its own over the same facts, without what became of the first", async () => {
    const facts = { event: "push" };
    const run = aRun("7-1", { state: "ended", conclusion: "failure", releasedAtMs: 5, facts });

    const record = await rerunRecord(run, aJob("7-1.a", { jobKey: "a", name: "A" }), store);

    const rerunOf = { runId: "7-1", jobs: ["a"], leg: "A" };
    expect(record).toMatchObject({ id: "7-1-2", state: "adopted", facts, rerunOf });
    expect(record).not.toHaveProperty("releasedAtMs");
    expect(record).not.toHaveProperty("conclusion");
  });

  it("of a run that was left asks anew whether it is ours", async () => {
    const run = aRun("7-1", { state: "left", reason: "Denied by policy.events" });

    const record = await rerunRecord(run, aJob("7-1.github-1"), store);

    expect(record).toMatchObject({ state: "new", rerunOf: { runId: "7-1", jobs: [] } });
    expect(record).not.toHaveProperty("reason");
  });

  it("is not begun beside another, and is numbered after those that ended", async () => {
    const run = aRun("7-1", { state: "ended" });
    await store.runs.put(run);
    await store.runs.put(aRun("7-1-2", { state: "adopted" }));

    expect(await rerunRecord(run, undefined, store)).toBeUndefined();
    await store.runs.put(aRun("7-1-2", { state: "ended" }));

    expect(await rerunRecord(run, undefined, store)).toMatchObject({ id: "7-1-3" });
  });

  it("of a suite is one of each attempt's last run", () => {
    expect(latestRuns(["7-1", "7-1-2", "8-1", "7-1-10", "7-2"])).toEqual(["7-1-10", "8-1", "7-2"]);
  });

  it.each([
    ["a", "a (1)", true],
    ["a", "a (2)", false],
    ["b", "b", true],
    ["c", "c", true],
    ["other", "other", false],
  ])("of one leg of a: %s with the name %s runs again: %s", (job, name, runsAgain) => {
    const steps = "runs-on: berth, steps: [{ run: echo }]";
    const text = `on: push\njobs:\n  c: { needs: b, ${steps} }\n  b: { needs: a, ${steps} }\n  a: { strategy: { matrix: { n: [1, 2] } }, ${steps} }\n  other: { ${steps} }`;
    const workflow = readWorkflow({ file: "ci.yml", text });
    const asked = { runId: "7-1", jobs: ["a"], leg: "a (1)" };

    expect(isRepeated({ job, name }, asked, workflow)).toBe(runsAgain);
    expect(isRepeated({ job, name }, { runId: "7-1", jobs: [] }, workflow)).toBe(true);
  });
});

describe("the result of a job that is not repeated", () => {
  const completed = (given: Partial<JobRecord>) =>
    aJob("7-1.a", { name: "a", state: "completed", completedAtMs: 1, ...given });
  const first = { runId: "7-1", jobs: ["b"] };

  it.each<[Partial<JobRecord>, object | undefined]>([
    [
      { conclusion: "success", outputs: { o: "x" } },
      { conclusion: "success", outputs: { o: "x" } },
    ],
    [{ conclusion: "skipped" }, { conclusion: "skipped", outputs: {} }],
    [{ conclusion: "action_required" }, { conclusion: "failure", outputs: {} }],
    [{ state: "running" }, undefined],
  ])("is that of its record: %j", async (given, result) => {
    await store.runs.put(aRun("7-1"));
    await store.jobs.put(completed(given));

    expect(await keptResult("a", first, store)).toEqual(result);
    expect(await keptResult("nobody", first, store)).toBeUndefined();
  });

  it("is GitHub's where another runner took it", async () => {
    await store.runs.put(aRun("7-1"));
    await store.jobs.put(completed({ conclusion: "neutral" }));
    await store.githubJobs.put(
      aGitHubJob(1, { name: "a", status: "completed", conclusion: "success" }),
    );

    expect(await keptResult("a", first, store)).toEqual({ conclusion: "success", outputs: {} });
  });

  it("is that of the run that a re-run repeated, where that did not repeat it either", async () => {
    await store.runs.put(aRun("7-1"));
    await store.runs.put(aRun("7-1-2", { rerunOf: first }));
    await store.jobs.put(completed({ conclusion: "success" }));

    const second = { runId: "7-1-2", jobs: ["b"] };

    expect(await keptResult("a", second, store)).toMatchObject({ conclusion: "success" });
  });
});
