import { ancestorsOf } from "../../runner/workflow/select-jobs.ts";
import { driveRun } from "./drive-run.ts";
import { type Account, type Hub, timestamp } from "./hub.ts";
import { completeJob } from "./job-life.ts";
import { Refusal } from "./refusal.ts";
import { runPayload } from "./run-payload.ts";
import { type Job, jobsOf, type Run } from "./runs.ts";
import { followRun } from "./start-runs.ts";

/**
 * Cancels a run: its jobs end cancelled; those whose `if` still holds, such as `always()`, go on or are still started.
 *
 * @throws {Refusal} 409 when it has ended.
 */
export function cancelRun(hub: Hub, run: Run, by: Account, { force = false } = {}): void {
  if (run.status === "completed") {
    throw new Refusal(409, "Cannot cancel a workflow run that is completed.");
  }
  run.sender = by;
  run.isForced = force;
  run.cancel.abort("The run was canceled.");
  if (!force) return;
  for (const job of jobsOf(run)) {
    if (job.status !== "completed") completeJob(hub, job, { conclusion: "cancelled" }, by);
  }
}

/**
 * Runs an ended run again as its next attempt: all of it, or what `again` picks and all that needs it.
 *
 * @throws {Refusal} 403 when it has not ended, or cannot be run.
 */
export function rerun(
  hub: Hub,
  run: Run,
  by: Account,
  again: (job: Job) => boolean = () => true,
): void {
  const { workflow } = run;
  if (run.status !== "completed") {
    throw new Refusal(403, "This workflow is already running");
  }
  if (!workflow) {
    throw new Refusal(403, "Unable to re-run this workflow run because its file is not valid");
  }
  const before = jobsOf(run);
  const picked = before.filter(again);
  const keys = new Set(picked.map(({ key }) => key));
  const ancestors = ancestorsOf(workflow.jobs);
  const isBelow = (key: string) => keys.intersection(ancestors.get(key) ?? new Set()).size > 0;
  const kept = before.filter((job) => !picked.includes(job) && !isBelow(job.key));

  run.pastAttempts.push(runPayload(hub, run));
  run.attempt += 1;
  run.cancel = new AbortController();
  run.isForced = false;
  run.conclusion = null;
  run.triggeringActor = by;
  run.sender = by;
  run.startedAt = timestamp(hub);
  driveRun(hub, run, workflow, { onEnd: (ended) => followRun(hub, ended) }, (key, name) =>
    kept.find((job) => job.key === key && job.name === name),
  );
}

/** What "re-run failed jobs" runs again. */
export function hasFailed({ conclusion }: Job): boolean {
  return conclusion === "failure" || conclusion === "cancelled";
}
