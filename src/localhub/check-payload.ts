import { ACTIONS_APP, type CheckRun, type CheckSuite, runsOfSuite } from "./checks.ts";
import type { Hub } from "./hub.ts";
import type { JsonObject } from "./hub-event.ts";
import {
  accountPayload,
  apiUrl,
  appPayload,
  minimalRepository,
  nodeId,
} from "./repository-payload.ts";

/** A check run as the API and `check_run` events show it. */
export function checkRunPayload(hub: Hub, run: CheckRun): JsonObject {
  const { id, repository, suite } = run;
  const url = apiUrl(hub, `/repos/${repository.fullName}/check-runs/${id}`);
  return {
    id,
    node_id: nodeId("CR", id),
    name: run.name,
    head_sha: run.headSha,
    external_id: run.externalId,
    status: run.status,
    conclusion: run.conclusion,
    started_at: run.startedAt,
    completed_at: run.completedAt,
    url,
    html_url: `${hub.url}/${repository.fullName}/runs/${id}`,
    details_url: run.detailsUrl,
    output: {
      title: run.title,
      summary: run.summary,
      text: run.text,
      annotations_count: run.annotations.length,
      annotations_url: `${url}/annotations`,
    },
    check_suite: { id: suite.id, head_branch: suite.headBranch, head_sha: suite.headSha },
    app: ownerPayload(hub, run.owner),
    pull_requests: [],
  };
}

export function checkSuitePayload(hub: Hub, suite: CheckSuite): JsonObject {
  const { id, repository, headSha, headBranch } = suite;
  const url = apiUrl(hub, `/repos/${repository.fullName}/check-suites/${id}`);
  const runs = runsOfSuite(hub, suite);
  return {
    id,
    node_id: nodeId("CS", id),
    head_branch: headBranch,
    head_sha: headSha,
    ...statusOf(runs),
    url,
    check_runs_url: `${url}/check-runs`,
    latest_check_runs_count: runs.length,
    created_at: suite.createdAt,
    updated_at: suite.createdAt,
    app: ownerPayload(hub, suite.owner),
    repository: minimalRepository(hub, repository),
    pull_requests: [],
  };
}

/** A suite is as far as its slowest check, and as bad as its worst. */
function statusOf(runs: readonly CheckRun[]): { status: string; conclusion: string | null } {
  const isDone = runs.length > 0 && runs.every((run) => run.status === "completed");
  if (!isDone) {
    const isRunning = runs.some((run) => run.status !== "queued");
    return { status: isRunning ? "in_progress" : "queued", conclusion: null };
  }
  const worst = ["failure", "timed_out", "cancelled", "action_required", "success"];
  const conclusions = new Set(runs.map((run) => run.conclusion));
  const conclusion = worst.find((name) => conclusions.has(name)) ?? "neutral";
  return { status: "completed", conclusion };
}

function ownerPayload(hub: Hub, owner: CheckRun["owner"]): JsonObject {
  if (owner === "app") return appPayload(hub, hub.app);
  const account = {
    id: 9919,
    login: "github",
    type: "Organization",
    variables: new Map(),
  } as const;
  return {
    ...ACTIONS_APP,
    node_id: nodeId("A", ACTIONS_APP.id),
    owner: accountPayload(hub, account),
    permissions: {},
    events: [],
  };
}
