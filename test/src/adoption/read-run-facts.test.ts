import { describe, expect, it } from "@jest/globals";
import { type ReadRunFactsOptions, readRunFacts } from "../../../src/adoption/read-run-facts.ts";
import { RunSnapshot } from "../../../src/adoption/run-facts.ts";
import type { GitHubRun } from "../../../src/github/installation.ts";
import { findTrigger } from "../../../src/intake/find-trigger.ts";
import type { TriggerRecord } from "../../../src/store/records.ts";

const HEAD = "a".repeat(40);
const BASE = "b".repeat(40);
const MERGE = "c".repeat(40);
const OLD_MERGE = "d".repeat(40);
const WORKFLOW = "on: push\njobs: { a: { runs-on: berth, steps: [{ run: echo }] } }\n";

function aRun(given: Partial<GitHubRun> = {}): GitHubRun {
  return {
    ...{ id: 42, attempt: 1, number: 7, event: "push", status: "queued", conclusion: null },
    ...{ headSha: HEAD, headBranch: "main", path: ".github/workflows/ci.yml", workflowName: "CI" },
    ...{ title: "A change", actor: { login: "anna", id: 5 }, pullRequests: [], createdAtMs: 0 },
    ...{ triggeringActor: { login: "ben", id: 6 }, headRepository: "my-org/app" },
    repository: {
      ...{ id: 9, fullName: "my-org/app", defaultBranch: "main", isPrivate: false },
      owner: { login: "my-org", id: 8 },
    },
    ...given,
  };
}

type Commits = {
  readonly merge?: { readonly sha: string; readonly parents: readonly string[] };
  readonly parents?: { readonly [sha: string]: readonly string[] };
  readonly refs?: { readonly [ref: string]: string };
  readonly text?: string;
};

/** A GitHub with these commits, of which each has the same workflow file. */
function ask(
  run: GitHubRun,
  payload?: TriggerRecord["payload"] | readonly TriggerRecord["payload"][],
  { merge, parents = {}, refs = {}, text = WORKFLOW }: Commits = {},
) {
  const payloads = payload === undefined ? [] : [payload].flat();
  const candidates = payloads.map(
    (each): TriggerRecord => ({
      ...{ deliveryId: "1", event: webhookOf(run.event), repositoryId: 9, receivedAtMs: 0 },
      payload: each,
    }),
  );
  const options: ReadRunFactsOptions = {
    run: { repository: "my-org/app", repositoryId: 9, githubRunId: 42, attempt: run.attempt },
    installation: {
      run: async () => run,
      file: async (_, path, commit) => `${text}# ${path} at ${commit}`,
      mergeCommit: async () => merge,
      commitParents: async (_, sha) => parents[sha],
      refCommit: async (_, ref) => refs[ref],
      variables: async () => ({ V: "1" }),
    },
    triggers: { find: async () => candidates },
    // Most payloads here say no more than their test needs, so one alone is the one.
    findTrigger: (...asked) => (candidates.length > 1 ? findTrigger(...asked) : candidates[0]),
    serverUrl: "https://github.example.com/",
    apiUrl: "https://github.example.com/api/v3",
  };
  return readRunFacts(options);
}

const webhookOf = (event: string) => (event === "pull_request_target" ? "pull_request" : event);

async function factsOf(...asked: Parameters<typeof ask>): Promise<RunSnapshot> {
  const read = await ask(...asked);
  if (read.kind === "left") throw new Error(read.reason);
  return read.facts;
}

function pull(given: { readonly [key: string]: unknown } = {}): TriggerRecord["payload"] {
  const side = (ref: string, sha: string, repository = "my-org/app") => ({
    ...{ ref, sha, repo: { full_name: repository } },
  });
  const pullRequest = {
    ...{ number: 3, merged: false, merge_commit_sha: null, author_association: "MEMBER" },
    ...{ head: side("feature", HEAD), base: side("main", BASE), ...given },
  };
  return JSON.parse(JSON.stringify({ action: "opened", number: 3, pull_request: pullRequest }));
}

it("reads a push: its commit, the file there, a whole context, and survives being stored", async () => {
  const payload = { ref: "refs/heads/main", after: HEAD };

  const facts = await factsOf(aRun(), payload);

  expect(facts).toMatchObject({
    ...{ event: "push", sha: HEAD, ref: "refs/heads/main", baseRef: "", headRef: "" },
    workflowText: expect.stringContaining(`# .github/workflows/ci.yml at ${HEAD}`),
    ...{ vars: { V: "1" }, inputs: null, isFork: false, title: "A change" },
  });
  expect(facts.github).toMatchObject({
    ...{ actor: "anna", actor_id: "5", triggering_actor: "ben", event: payload, sha: HEAD },
    ...{ run_id: "42", run_number: "7", run_attempt: "1", repository_id: "9" },
    ...{ repository_owner_id: "8", workflow: "CI", server_url: "https://github.example.com" },
    graphql_url: "https://github.example.com/api/graphql",
    workflow_ref: "my-org/app/.github/workflows/ci.yml@refs/heads/main",
    workflow_sha: HEAD,
  });
  expect(RunSnapshot.parse(JSON.parse(JSON.stringify(facts)))).toEqual(facts);
});

it("says why there is no payload", async () => {
  expect((await factsOf(aRun())).payloadMissing).toBe("the push event has not reached Berth");
  expect((await factsOf(aRun({ event: "schedule" }))).payloadMissing).toBe(
    "GitHub sends no event for a schedule",
  );
});

describe("a pull request runs at", () => {
  const run = aRun({ event: "pull_request", headBranch: "feature" });
  const merge = { sha: MERGE, parents: [BASE, HEAD] };

  it("what its merge ref is now, when that joins the run's head", async () => {
    expect(await factsOf(run, pull(), { merge })).toMatchObject({
      ...{ sha: MERGE, ref: "refs/pull/3/merge", baseRef: "main", headRef: "feature" },
      workflowText: expect.stringContaining(MERGE),
    });
  });

  it("the merge commit of its event, when the ref has moved on", async () => {
    const commits = {
      merge: { sha: MERGE, parents: [BASE, "e".repeat(40)] },
      parents: { [OLD_MERGE]: [BASE, HEAD] },
    };

    const facts = await factsOf(run, pull({ merge_commit_sha: OLD_MERGE }), commits);

    expect(facts.sha).toBe(OLD_MERGE);
  });

  it("no other commit: not at one of an older head, not at the head", async () => {
    const commits = {
      merge: { sha: MERGE, parents: [BASE, "e".repeat(40)] },
      parents: { [OLD_MERGE]: [BASE, "e".repeat(40)] },
    };

    const read = await ask(run, pull({ merge_commit_sha: OLD_MERGE }), commits);

    expect(read).toEqual({
      kind: "left",
      reason: expect.stringContaining("file at another commit"),
      lacksEvent: false,
    });
  });

  it("the branch that it was merged into", async () => {
    const merged = pull({ merged: true, merge_commit_sha: MERGE });

    expect(await factsOf(run, merged, { parents: { [MERGE]: [BASE] } })).toMatchObject({
      ...{ sha: MERGE, ref: "refs/heads/main" },
    });
  });

  it("its merge commit without the event, by what the run shows", async () => {
    const shown = [{ number: 3, headSha: HEAD, baseRef: "main" }];

    const facts = await factsOf({ ...run, pullRequests: shown }, undefined, { merge });

    expect(facts).toMatchObject({ sha: MERGE, baseRef: "main", headRef: "feature" });
    expect(await ask(run, undefined, { merge })).toMatchObject({ kind: "left", lacksEvent: true });
  });
});

describe("a pull_request_target runs at", () => {
  const run = aRun({ event: "pull_request_target", headRepository: "eve/app" });
  const refs = { "heads/main": BASE };

  it("the default branch, never at its head", async () => {
    expect(await factsOf(run, pull(), { refs })).toMatchObject({
      ...{ sha: BASE, ref: "refs/heads/main", isFork: true, headRepository: "eve/app" },
    });
  });

  it("no commit that may be another, when GitHub runs it again", async () => {
    const again = { ...run, attempt: 2 };

    expect(await ask(again, pull(), { refs: { "heads/main": MERGE } })).toMatchObject({
      kind: "left",
    });
    expect((await factsOf(again, pull(), { refs })).sha).toBe(BASE);
  });
});

describe("the ref of", () => {
  const refs = { "heads/dev": HEAD, "tags/v1": HEAD };
  it.each<[string, Partial<GitHubRun>, TriggerRecord["payload"] | undefined, string]>([
    ["a schedule", { event: "schedule", headBranch: "x" }, undefined, "refs/heads/main"],
    ["a comment", { event: "issue_comment" }, { action: "created" }, "refs/heads/main"],
    ["a release", { event: "release" }, { release: { tag_name: "v1" } }, "refs/tags/v1"],
    ["a pushed tag", {}, { ref: "refs/tags/v1" }, "refs/tags/v1"],
    ["a tag whose event is missing", { headBranch: "v1" }, undefined, "refs/tags/v1"],
    ["a dispatch", { event: "workflow_dispatch" }, { ref: "dev" }, "refs/heads/dev"],
    ["a new tag", { event: "create" }, { ref: "v1", ref_type: "tag" }, "refs/tags/v1"],
    [
      "a merge queue",
      { event: "merge_group" },
      { merge_group: { head_ref: "refs/heads/gh-readonly-queue/main/pr-1-x" } },
      "refs/heads/gh-readonly-queue/main/pr-1-x",
    ],
  ])("%s", async (_, run, payload, ref) => {
    expect(await factsOf(aRun(run), payload, { refs })).toMatchObject({ ref, sha: HEAD });
  });
});

it("takes no commit of a fork for an event that runs on the repository's own", async () => {
  const run = aRun({ event: "issue_comment", headRepository: "eve/app" });

  expect(await ask(run, {})).toEqual({
    kind: "left",
    reason: "The run shows a commit of eve/app, which no issue_comment is for.",
    lacksEvent: false,
  });
});

it.each([
  ["another repository's head", "my-org/app", { head: { repo: { full_name: "eve/app" } } }],
  ["a repository that is gone", "my-org/app", { head: { repo: null } }],
  ["what the run shows", "eve/app", {}],
  ["a run of a repository that is gone", null, {}],
])("knows a fork by %s", async (_, headRepository, given) => {
  const run = aRun({ event: "pull_request", headRepository });
  const merge = { sha: MERGE, parents: [BASE, HEAD] };

  expect((await factsOf(run, pull(given), { merge })).isFork).toBe(true);
});

it("types the inputs of a dispatch and completes them", async () => {
  const text = `on: { workflow_dispatch: { inputs: { n: { default: "3" }, b: { type: boolean } } } }
jobs: { a: { runs-on: berth, steps: [{ run: echo }] } }
`;
  const run = aRun({ event: "workflow_dispatch" });

  const facts = await factsOf(run, { ref: "main", inputs: { b: "true" } }, { text });

  expect(facts.inputs).toEqual({ n: "3", b: true });
  expect(facts.github.event).toEqual({ ref: "main", inputs: { n: "3", b: "true" } });
  expect(await ask(run, { ref: "main", inputs: { other: "x" } }, { text })).toEqual({
    kind: "left",
    reason: expect.stringContaining("no input 'other'"),
    lacksEvent: false,
  });
});

it("lets the workflow say which of two events of one second it starts on", async () => {
  const text = `on: { pull_request: { types: [labeled] } }
jobs: { a: { runs-on: berth, steps: [{ run: echo }] } }
`;
  const run = aRun({ event: "pull_request", headBranch: "feature" });
  const merge = { sha: MERGE, parents: [BASE, HEAD] };
  const updated_at = "1970-01-01T00:00:00Z";
  const opened = pull({ updated_at });

  const facts = await factsOf(run, [opened, { ...opened, action: "labeled" }], { merge, text });

  expect(facts.github.event).toMatchObject({ action: "labeled" });
  expect((await factsOf(run, [opened, opened], { merge, text })).payloadMissing).toBeUndefined();
});
