import type { GitHubJob, GitHubRun } from "../github/installation.ts";
import type { GitHubJobRecord } from "../store/records.ts";
import type { WorkflowJobPayload } from "./payloads.ts";

/** What one `workflow_job` event says; `undefined` for an action that is not known. */
export function readJobEvent(payload: WorkflowJobPayload): GitHubJobRecord | undefined {
  const { action, workflow_job: job, repository, installation, sender } = payload;
  const status = statusOf(action);
  if (status === undefined) return undefined;
  return {
    ...{ id: job.id, githubRunId: job.run_id, attempt: job.run_attempt },
    ...{ repository: repository.full_name, repositoryId: repository.id },
    ...{
      installationId: installation.id,
      headSha: job.head_sha,
      name: job.name,
      labels: job.labels,
      status,
    },
    // A snapshot of an earlier event may have been made late, and know more than the event tells.
    ...(job.runner_name && { runnerName: job.runner_name }),
    createdAtMs: Date.parse(job.created_at),
    ...(status === "completed" && {
      ...(job.conclusion && { conclusion: job.conclusion }),
      completedBy: { login: sender.login, isBot: sender.type === "Bot" },
      ...(job.completed_at && { completedAtMs: Date.parse(job.completed_at) }),
    }),
  };
}

/** What the REST API says of a job, as if an event had come; who completed it and when it does not say. */
export function readListedJob(
  job: GitHubJob,
  of: {
    readonly run: Pick<GitHubRun, "id" | "attempt" | "headSha">;
    readonly repository: string;
    readonly repositoryId: number;
    readonly installationId: number;
    readonly nowMs: number;
  },
): GitHubJobRecord {
  const { run, repository, repositoryId, installationId, nowMs } = of;
  const status = statusOf(job.status) ?? "waiting";
  return {
    ...{ id: job.id, repository, repositoryId, installationId },
    ...{
      githubRunId: run.id,
      attempt: run.attempt,
      headSha: run.headSha,
      name: job.name,
      labels: job.labels,
      status,
    },
    ...(job.runnerName && { runnerName: job.runnerName }),
    createdAtMs: job.createdAtMs,
    ...(status === "completed" && {
      ...(job.conclusion !== null && { conclusion: job.conclusion }),
      completedAtMs: nowMs,
    }),
  };
}

/** `requested` and `pending` are REST's words for a job that no runner may take yet. */
function statusOf(word: string): GitHubJobRecord["status"] | undefined {
  switch (word) {
    case "waiting":
    case "requested":
    case "pending":
      return "waiting";
    case "queued":
    case "in_progress":
    case "completed":
      return word;
    default:
      return undefined;
  }
}
