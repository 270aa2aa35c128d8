import { describe, expect, it } from "@jest/globals";
import type { GitHubRun } from "../../../src/github/installation.ts";
import { findTrigger, triggerEventOf } from "../../../src/intake/find-trigger.ts";
import type { Payload } from "../../../src/intake/payloads.ts";
import type { TriggerRecord } from "../../../src/store/records.ts";

const CREATED = Date.parse("2026-06-18T07:00:00Z");
const octocat = { login: "octocat", id: 1 };

const RUN: GitHubRun = {
  ...{ id: 10, attempt: 1, number: 1, event: "push", status: "queued", conclusion: null },
  ...{ headSha: "abc", headBranch: "main", path: ".github/workflows/ci.yml", workflowName: "CI" },
  ...{ title: "t", actor: octocat, triggeringActor: octocat, headRepository: "octo/hello" },
  repository: {
    ...{ id: 3, fullName: "octo/hello", owner: { login: "octo", id: 2 } },
    ...{ defaultBranch: "main", isPrivate: true },
  },
  ...{ pullRequests: [], createdAtMs: CREATED },
};

/** A stored event, `afterMs` after the run was created. */
function stored(event: string, payload: Payload, afterMs = 500): TriggerRecord {
  const full = { sender: octocat, ...payload };
  const receivedAtMs = CREATED + afterMs;
  return { deliveryId: `${event} ${afterMs}`, event, repositoryId: 3, payload: full, receivedAtMs };
}

const push = { ref: "refs/heads/main", after: "abc" };
const dispatch = { ref: "refs/heads/main", workflow: RUN.path, inputs: { a: "1" } };
const HOUR = 3_600_000;

function pull(sha: string, updatedAt: string, more: Payload = {}): Payload {
  const repo = { full_name: "octo/hello" };
  const sides = { head: { sha, repo }, base: { sha: "base", repo } };
  return {
    action: "opened",
    pull_request: { number: 7, updated_at: updatedAt, ...sides, ...more },
  };
}

describe("the event that started a run", () => {
  it.each<[string, Partial<GitHubRun>, TriggerRecord[], number | undefined]>([
    ["is the push of its commit and branch", {}, [stored("push", push)], 0],
    ["is a push that was received hours later", {}, [stored("push", push, HOUR)], 0],
    [
      "is the push of its tag",
      { headBranch: "v1" },
      [stored("push", { ...push, ref: "refs/tags/v1" })],
      0,
    ],
    ["is no push of another commit", {}, [stored("push", { ...push, after: "def" })], undefined],
    [
      "is no push to another branch",
      {},
      [stored("push", { ...push, ref: "refs/heads/x" })],
      undefined,
    ],
    [
      "is the nearer of two pushes of one commit",
      {},
      [stored("push", { ...push, before: "1" }, -HOUR), stored("push", { ...push, before: "2" })],
      1,
    ],
    [
      "is unknown when two pushes of one commit came at once",
      {},
      [stored("push", { ...push, before: "1" }, 400), stored("push", { ...push, before: "2" })],
      undefined,
    ],
    [
      "is the dispatch of its file, branch and actor",
      { event: "workflow_dispatch" },
      [
        stored("workflow_dispatch", { ...dispatch, workflow: ".github/workflows/other.yml" }),
        stored("workflow_dispatch", { ...dispatch, ref: "refs/heads/x" }),
        stored("workflow_dispatch", { ...dispatch, sender: { login: "other" } }),
        stored("workflow_dispatch", dispatch),
      ],
      3,
    ],
    [
      "is unknown when two dispatches with different inputs came in one second",
      { event: "workflow_dispatch" },
      [
        stored("workflow_dispatch", dispatch, 100),
        stored("workflow_dispatch", { ...dispatch, inputs: { a: "2" } }, 900),
      ],
      undefined,
    ],
    [
      "is either of two dispatches that say the same",
      { event: "workflow_dispatch" },
      [stored("workflow_dispatch", dispatch, 100), stored("workflow_dispatch", dispatch, 900)],
      0,
    ],
    [
      "is no dispatch of an hour before",
      { event: "workflow_dispatch" },
      [stored("workflow_dispatch", dispatch, -HOUR)],
      undefined,
    ],
    [
      "is the event of its pull request, by its own time",
      { event: "pull_request", pullRequests: [{ number: 7, headSha: "abc", baseRef: "main" }] },
      [
        stored("pull_request", pull("abc", "2026-06-18T06:30:00Z"), 600),
        stored("pull_request", pull("abc", "2026-06-18T06:59:58Z"), HOUR),
        stored("pull_request", pull("def", "2026-06-18T06:59:59Z")),
        stored("pull_request", pull("abc", "2026-06-18T06:59:59Z", { number: 8 })),
      ],
      1,
    ],
    [
      "is a pull request's event for pull_request_target, too",
      { event: "pull_request_target", headSha: "base" },
      [stored("pull_request", pull("abc", "2026-06-18T06:59:58Z"))],
      0,
    ],
    [
      "is no event of a fork with the same commit",
      { event: "pull_request", headRepository: "fork/hello" },
      [stored("pull_request", pull("abc", "2026-06-18T06:59:58Z"))],
      undefined,
    ],
    [
      "is the sender's event nearest in time, for others",
      { event: "repository_dispatch" },
      [
        stored("repository_dispatch", { action: "a" }, -60_000),
        stored("repository_dispatch", { action: "b" }, 100),
        stored("repository_dispatch", { action: "c", sender: { login: "other" } }, 0),
      ],
      1,
    ],
    ["is none for a schedule", { event: "schedule" }, [stored("push", push)], undefined],
    [
      "is none of another repository",
      {},
      [{ ...stored("push", push), repositoryId: 4 }],
      undefined,
    ],
  ])("%s", (_, run, candidates, expected) => {
    const found = findTrigger({ ...RUN, ...run }, candidates);

    expect(found).toBe(expected === undefined ? undefined : candidates[expected]);
  });

  it("is told apart by what the workflow starts for", () => {
    const labeled = { ...pull("abc", "2026-06-18T06:59:58Z"), action: "labeled" };
    const candidates = [
      stored("pull_request", labeled, 1),
      stored("pull_request", pull("abc", "2026-06-18T06:59:58Z"), 2),
    ];
    const run = { ...RUN, event: "pull_request" };

    const found = findTrigger(run, candidates, ({ payload }) => payload.action === "opened");

    expect(found).toBe(candidates[1]);
    expect(findTrigger(run, candidates)).toBeUndefined();
  });

  it("is not sent for a schedule", () => {
    expect(triggerEventOf("schedule")).toBeUndefined();
    expect(triggerEventOf("pull_request_target")).toBe("pull_request");
    expect(triggerEventOf("push")).toBe("push");
  });
});
