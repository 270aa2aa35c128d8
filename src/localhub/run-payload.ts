import type { Hub } from "./hub.ts";
import type { JsonObject } from "./hub-event.ts";
import { pullReference } from "./pull-payload.ts";
import { accountPayload, apiUrl, minimalRepository, nodeId } from "./repository-payload.ts";
import type { Job, Run } from "./runs.ts";

/** A run as the API and `workflow_run` events show it. */
export function runPayload(hub: Hub, run: Run): JsonObject {
  const { id, repository, entry } = run;
  const url = apiUrl(hub, `/repos/${repository.fullName}/actions/runs/${id}`);
  return {
    id,
    node_id: nodeId("WFR", id),
    name: entry.name,
    display_title: run.title,
    path: entry.path,
    run_number: run.number,
    run_attempt: run.attempt,
    event: run.event,
    status: run.status,
    conclusion: run.conclusion,
    workflow_id: entry.id,
    check_suite_id: run.checkSuiteId,
    head_branch: run.headBranch,
    head_sha: run.headSha,
    head_commit: { id: run.headSha },
    head_repository: minimalRepository(hub, run.headRepository),
    repository: minimalRepository(hub, repository),
    // GitHub leaves this empty for pull requests from forks.
    pull_requests:
      run.pull && run.headRepository === repository ? [pullReference(hub, run.pull)] : [],
    actor: accountPayload(hub, run.actor),
    triggering_actor: accountPayload(hub, run.triggeringActor),
    created_at: run.createdAt,
    updated_at: run.updatedAt,
    run_started_at: run.startedAt,
    url,
    html_url: `${hub.url}/${repository.fullName}/actions/runs/${id}`,
    jobs_url: `${url}/jobs`,
    cancel_url: `${url}/cancel`,
    rerun_url: `${url}/rerun`,
    workflow_url: apiUrl(hub, `/repos/${repository.fullName}/actions/workflows/${entry.id}`),
    referenced_workflows: [],
  };
}

/** A job as the API and `workflow_job` events show it. */
export function jobPayload(hub: Hub, job: Job): JsonObject {
  const { id, run, runner } = job;
  const { fullName } = run.repository;
  const repositoryUrl = apiUrl(hub, `/repos/${fullName}`);
  return {
    id,
    run_id: run.id,
    run_attempt: job.attempt,
    run_url: `${repositoryUrl}/actions/runs/${run.id}`,
    node_id: nodeId("CR", id),
    workflow_name: run.entry.name,
    head_branch: run.headBranch,
    head_sha: run.headSha,
    url: `${repositoryUrl}/actions/jobs/${id}`,
    html_url: `${hub.url}/${fullName}/actions/runs/${run.id}/job/${id}`,
    check_run_url: `${repositoryUrl}/check-runs/${id}`,
    name: job.name,
    status: job.status,
    conclusion: job.conclusion,
    created_at: job.createdAt,
    started_at: job.startedAt,
    completed_at: job.completedAt,
    steps: job.steps.map((step) => ({
      ...step,
      started_at: step.status === "queued" ? null : job.startedAt,
      completed_at: step.status === "completed" ? job.completedAt : null,
    })),
    labels: job.labels,
    runner_id: runner?.id ?? null,
    runner_name: runner?.name ?? null,
    runner_group_id: runner ? 1 : null,
    runner_group_name: runner?.group ?? null,
  };
}

export function workflowPayload(hub: Hub, { repository, entry }: Run): JsonObject {
  return workflowEntryPayload(hub, repository.fullName, entry);
}

export function workflowEntryPayload(hub: Hub, fullName: string, entry: Run["entry"]): JsonObject {
  return {
    id: entry.id,
    node_id: nodeId("W", entry.id),
    name: entry.name,
    path: entry.path,
    state: "active",
    url: apiUrl(hub, `/repos/${fullName}/actions/workflows/${entry.id}`),
    html_url: `${hub.url}/${fullName}/blob/HEAD/${entry.path}`,
    badge_url: `${hub.url}/${fullName}/workflows/${encodeURIComponent(entry.name)}/badge.svg`,
  };
}
