import type { GitHubJobRecord, RunRecord } from "../store/records.ts";

/** What GitHub's own job means for our copy of it. */
export type GitHubVerdict =
  | { readonly kind: "go-on" }
  | { readonly kind: "cancelled"; readonly by: string }
  | { readonly kind: "taken"; readonly runner: string };

/** GitHub drops a job that no runner took for this long. A clock may be off by minutes. */
const DROPPED_AFTER_MS = (24 * 60 - 10) * 60_000;

/**
 * Berth is no registered runner, so a job that begins on GitHub has begun elsewhere. Of the ways a queued one ends there, only a
 * person's cancel, or that of a rule of the workflow, is about our copy: not that we asked GitHub to drop its side, nor that nobody took the job for a
 * day.
 */
export function githubVerdict(
  job: GitHubJobRecord,
  run: Pick<RunRecord, "releasedAtMs">,
): GitHubVerdict {
  if (job.runnerName !== undefined && job.runnerName !== "") {
    return { kind: "taken", runner: job.runnerName };
  }
  if (job.status !== "completed" || job.conclusion !== "cancelled") return { kind: "go-on" };
  if (run.releasedAtMs !== undefined) return { kind: "go-on" };
  const { createdAtMs, completedAtMs = createdAtMs } = job;
  if (isDropped({ createdAtMs, endedAtMs: completedAtMs })) return { kind: "go-on" };
  return { kind: "cancelled", by: job.completedBy?.login ?? "GitHub" };
}

/** Whether the end of a queued job or its run is GitHub's own doing, because no runner came. */
export function isDropped(job: {
  readonly createdAtMs: number;
  readonly endedAtMs: number;
}): boolean {
  return job.endedAtMs - job.createdAtMs >= DROPPED_AFTER_MS;
}
