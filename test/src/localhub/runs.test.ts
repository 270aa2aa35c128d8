import { describe, expect, it } from "@jest/globals";
import type { LocalHub } from "../../../src/localhub/local-hub.ts";
import { startLocalHub } from "../../../src/localhub/start-local-hub.ts";
import {
  asInstallation,
  jobList,
  jobNamed,
  NEEDS_AND_MATRIX,
  receiveWebhooks,
  refusalOf,
} from "./hub-fixture.ts";

const repo = { owner: "octo", repo: "hello" };

function hubWith(options = {}): Promise<LocalHub> {
  return startLocalHub({
    organizations: [
      { login: "octo", repositories: [{ name: "hello", files: { a: "" }, ...options }] },
    ],
  });
}

/** Pushes one workflow file and waits for what follows. */
async function pushWorkflow(hub: LocalHub, text: string, branch = "main"): Promise<void> {
  const files = { ".github/workflows/ci.yml": text };
  await hub.commit("octo/hello", { branch, message: "Change the workflow", files });
  await hub.settled();
}

async function complete(
  hub: LocalHub,
  name: string,
  conclusion: "success" | "failure" | "cancelled" = "success",
  outputs = {},
): Promise<void> {
  hub.completeJob(jobNamed(hub, name), { conclusion, outputs });
  await hub.settled();
}

describe("queueing jobs", () => {
  it("queues a job when those it needs have ended, and as many legs as max-parallel lets", async () => {
    await using hub = await hubWith();

    await pushWorkflow(hub, NEEDS_AND_MATRIX);
    const first = jobList(hub);
    await complete(hub, "build", "success", { v: "1" });
    const second = jobList(hub);
    await complete(hub, "test (a)");
    const third = jobList(hub);
    await complete(hub, "test (b)");
    await complete(hub, "test (c)");
    const fourth = jobList(hub);
    await complete(hub, "last of success");

    expect(first).toEqual(["build: queued"]);
    expect(second).toEqual(["build: success", "test (a): queued", "test (b): queued"]);
    expect(third.slice(1)).toEqual(["test (a): success", "test (b): queued", "test (c): queued"]);
    expect(fourth.at(-1)).toBe("last of success: queued");
    expect(hub.runs()).toMatchObject([{ status: "completed", conclusion: "success" }]);
  });

  it("tells of each step of a job's life, once, and of the run's", async () => {
    await using hook = await receiveWebhooks();
    await using hub = await hubWith();
    hub.setWebhook(hook.url);

    await pushWorkflow(hub, "on: push\njobs: { a: { runs-on: [x, Y], steps: [{ run: a }] } }");
    hub.startJob(jobNamed(hub, "a"), { name: "runner-7" });
    await complete(hub, "a", "failure");

    const ofRuns = hook.received.filter(({ name }) => /^(workflow|push)/.test(name));
    expect(ofRuns.map(({ name }) => name)).toEqual([
      "push",
      "workflow_run.requested",
      "workflow_job.queued",
      "workflow_run.in_progress",
      "workflow_job.in_progress",
      "workflow_job.completed",
      "workflow_run.completed",
    ]);
    const jobs = ofRuns.filter(({ event }) => event === "workflow_job");
    const payloads = jobs.map(({ body }) => JSON.parse(body));
    expect(payloads[0]).toMatchObject({
      workflow_job: {
        name: "a",
        labels: ["x", "Y"],
        status: "queued",
        runner_name: null,
        head_branch: "main",
      },
      repository: { full_name: "octo/hello", private: true },
      organization: { login: "octo" },
      installation: { id: hub.installationIdOf("octo") },
      sender: { login: "octocat" },
    });
    expect(payloads[1].workflow_job.runner_name).toBe("runner-7");
    expect(payloads[2].workflow_job).toMatchObject({ status: "completed", conclusion: "failure" });
  });

  it("skips what depends on a failure, and cancels the other legs of a matrix", async () => {
    await using hub = await hubWith();
    await pushWorkflow(hub, NEEDS_AND_MATRIX);
    await complete(hub, "build");

    await complete(hub, "test (b)", "failure");

    expect(jobList(hub)).toEqual([
      "build: success",
      "test (a): cancelled",
      "test (b): failure",
      "test (c): cancelled",
      "last of ${{ needs.test.result }}: skipped",
    ]);
    expect(hub.runs()).toMatchObject([{ conclusion: "failure" }]);
  });

  it("takes a workflow that cannot be read for a run that failed at its start", async () => {
    await using hub = await hubWith();

    await pushWorkflow(hub, "on: push\njobs: { a: { steps: 3 } }");

    expect(hub.runs()).toMatchObject([{ status: "completed", conclusion: "startup_failure" }]);
    expect(hub.jobs()).toEqual([]);
  });

  it("heeds filters, words that skip, and concurrency groups", async () => {
    const job = "jobs: { a: { runs-on: x, steps: [{ run: a }] } }";
    await using hub = await hubWith();

    await pushWorkflow(hub, `on: { push: { branches: [other] } }\n${job}`);
    const filtered = hub.runs().length;
    const message = "Change [skip ci]";
    await hub.commit("octo/hello", { branch: "other", message, files: { b: "" } });
    await hub.settled();
    const skipped = hub.runs().length;
    const grouped = `on: push\nconcurrency: { group: g, cancel-in-progress: true }\n${job}`;
    await pushWorkflow(hub, grouped);
    await pushWorkflow(hub, `${grouped}\n# again`);

    expect([filtered, skipped]).toEqual([0, 0]);
    expect(jobList(hub)).toEqual(["a: cancelled", "a: queued"]);
  });

  it("lets a job into a reviewed environment when a person approves", async () => {
    await using hub = await hubWith({ reviewedEnvironments: ["production"] });
    await pushWorkflow(
      hub,
      "on: push\njobs: { a: { runs-on: x, environment: production, steps: [{ run: a }] } }",
    );
    const before = jobList(hub);

    hub.approveJob(jobNamed(hub, "a"));

    expect([before, jobList(hub)]).toEqual([["a: waiting"], ["a: queued"]]);
  });
});

describe("the Actions API", () => {
  it("lists runs and jobs, and cancels a run but for what always runs", async () => {
    await using hub = await hubWith();
    await pushWorkflow(
      hub,
      `on: push
jobs:
  a: { runs-on: x, steps: [{ run: a }] }
  b: { runs-on: x, needs: a, if: always(), steps: [{ run: a }] }
  c: { runs-on: x, needs: a, steps: [{ run: a }] }`,
    );
    const { actions } = asInstallation(hub, "octo").rest;
    const { data: runs } = await actions.listWorkflowRunsForRepo({ ...repo, status: "queued" });
    const run_id = runs.workflow_runs[0]?.id ?? 0;

    const { status } = await actions.cancelWorkflowRun({ ...repo, run_id });
    await hub.settled();
    const { data: jobs } = await actions.listJobsForWorkflowRun({ ...repo, run_id });
    await complete(hub, "b");
    const { data: run } = await actions.getWorkflowRun({ ...repo, run_id });
    const again = await refusalOf(actions.cancelWorkflowRun({ ...repo, run_id }));

    expect(runs).toMatchObject({
      total_count: 1,
      workflow_runs: [{ event: "push", head_branch: "main" }],
    });
    expect(status).toBe(202);
    expect(jobs.jobs.map(({ name, conclusion }) => [name, conclusion])).toEqual([
      ["a", "cancelled"],
      ["c", "skipped"],
      ["b", null],
    ]);
    expect(run).toMatchObject({ status: "completed", conclusion: "cancelled" });
    expect(again[0]).toBe(409);
  });

  it("runs failed jobs and their dependents again, under new ids, and keeps the others", async () => {
    await using hub = await hubWith();
    await pushWorkflow(hub, NEEDS_AND_MATRIX.replace("max-parallel: 2", "fail-fast: false"));
    await complete(hub, "build");
    await complete(hub, "test (a)");
    await complete(hub, "test (b)", "failure");
    await complete(hub, "test (c)");
    const [run] = hub.runs();
    const { actions } = asInstallation(hub, "octo").rest;

    await actions.reRunWorkflowFailedJobs({ ...repo, run_id: run?.id ?? 0 });
    await hub.settled();
    const { data } = await actions.listJobsForWorkflowRun({ ...repo, run_id: run?.id ?? 0 });
    await complete(hub, "test (b)");
    await complete(hub, "last of success");

    expect(
      data.jobs.map(({ name, status, run_attempt }) => `${name} ${status} ${run_attempt}`),
    ).toEqual([
      "build completed 2",
      "test (a) completed 2",
      "test (b) queued 2",
      "test (c) completed 2",
    ]);
    expect(hub.runs()).toMatchObject([{ attempt: 2, conclusion: "success" }]);
    expect(new Set(hub.jobs().map(({ id }) => id)).size).toBe(hub.jobs().length);
  });

  it("starts a workflow by hand, with inputs checked", async () => {
    const text = `on: { workflow_dispatch: { inputs: { to: { type: choice, options: [a, b], required: true } } } }
run-name: "Go to \${{ inputs.to }}"
jobs: { a: { runs-on: "\${{ inputs.to }}", steps: [{ run: a }] } }`;
    await using hub = await hubWith({ files: { ".github/workflows/go.yml": text } });
    const { actions } = asInstallation(hub, "octo").rest;
    const start = (to: string) =>
      actions.createWorkflowDispatch({
        ...repo,
        workflow_id: "go.yml",
        ref: "main",
        inputs: { to },
      });

    await start("b");
    await hub.settled();
    const refused = await refusalOf(start("c"));

    expect(hub.runs()).toMatchObject([{ title: "Go to b", event: "workflow_dispatch" }]);
    expect(hub.jobs()).toMatchObject([{ labels: ["b"] }]);
    expect(refused).toEqual([422, expect.stringContaining("must be one of a, b")]);
  });
});

describe("pull requests", () => {
  const onPull = "on: pull_request\njobs: { a: { runs-on: x, steps: [{ run: a }] } }";

  it("runs the merge commit's workflows and shows the head's commit, again after each push", async () => {
    await using hub = await hubWith({ files: { ".github/workflows/pr.yml": onPull } });
    const change = (content: string) =>
      hub.commit("octo/hello", { branch: "feature", message: "Change", files: { x: content } });
    const base = await hub.commit("octo/hello", { branch: "main", message: "2", files: { y: "" } });
    const { rest } = asInstallation(hub, "octo");
    await rest.git.createRef({ ...repo, ref: "refs/heads/feature", sha: base });
    const first = await change("1");

    const { data } = await rest.pulls.create({
      ...repo,
      title: "Add x",
      head: "feature",
      base: "main",
    });
    await hub.settled();
    const second = await change("2");
    await hub.settled();
    const { data: merge } = await rest.git.getRef({ ...repo, ref: "pull/1/merge" });
    const { data: commit } = await rest.git.getCommit({ ...repo, commit_sha: merge.object.sha });

    expect(data).toMatchObject({ number: 1, mergeable: true, user: { login: "berth-local[bot]" } });
    expect(hub.runs()).toMatchObject([
      { event: "pull_request", headSha: first, headBranch: "feature", title: "Add x" },
      { event: "pull_request", headSha: second },
    ]);
    expect(commit.parents.map(({ sha }) => sha)).toEqual([base, second]);
  });

  it("takes one from a fork, whose run names the fork", async () => {
    await using hub = await startLocalHub({
      organizations: [
        {
          login: "octo",
          repositories: [{ name: "hello", files: { ".github/workflows/pr.yml": onPull } }],
        },
      ],
      users: [{ login: "mallory", repositories: [{ name: "hello", forkOf: "octo/hello" }] }],
    });
    await hub.commit("mallory/hello", { branch: "evil", message: "Change", files: { x: "" } });

    await hub.createPullRequest("octo/hello", { title: "T", head: "mallory:evil", base: "main" });
    await hub.settled();
    const { data } = await asInstallation(hub, "octo").rest.actions.listWorkflowRunsForRepo(repo);

    expect(data.workflow_runs).toMatchObject([
      {
        head_repository: { full_name: "mallory/hello" },
        repository: { full_name: "octo/hello" },
        pull_requests: [],
      },
    ]);
  });
});
