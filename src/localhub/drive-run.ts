import PQueue from "p-queue";
import type { JobResult } from "../../runner/job/execute-job.ts";
import type { JobDescription } from "../../runner/job/job-description.ts";
import type { JobEvent } from "../../runner/job/job-event.ts";
import { runPlan } from "../../runner/workflow/run-plan.ts";
import type { Workflow } from "../../runner/workflow/workflow.ts";
import { githubContext } from "./github-context.ts";
import type { Hub } from "./hub.ts";
import { completeJob, createJob, emitRun, updateRun } from "./job-life.ts";
import type { Job, Run } from "./runs.ts";
import { variablesFor } from "./variables.ts";

/** Jobs of an earlier attempt that need not run again: their results still count. */
type Kept = (key: string, name: string) => Job | undefined;

export type DriveDeps = {
  /** Hears that a run has ended: others may start on it. */
  onEnd(run: Run): void;
};

/**
 * Does for one attempt of a run what GitHub does: queues each job when those it needs have ended, within `max-parallel` and
 * concurrency groups. Comes back at once; the run goes on by itself as its jobs are completed.
 */
export function driveRun(
  hub: Hub,
  run: Run,
  workflow: Workflow,
  { onEnd }: DriveDeps,
  keep: Kept = () => undefined,
): void {
  const attempt = run.attempt;
  run.status = workflow.concurrency === undefined ? "queued" : "pending";
  emitRun(hub, run, "requested");

  const driving = drive(hub, run, workflow, keep)
    .catch(() => "failure" as const) // what is wrong with the workflow's own concurrency
    .then((conclusion) => {
      if (run.attempt !== attempt || hub.closed.aborted) return;
      run.status = "completed";
      run.conclusion = conclusion;
      updateRun(hub, run);
      emitRun(hub, run, "completed");
      onEnd(run);
    })
    .finally(() => hub.driving.delete(driving));
  hub.driving.add(driving);
}

async function drive(
  hub: Hub,
  run: Run,
  workflow: Workflow,
  keep: Kept,
): Promise<NonNullable<Run["conclusion"]>> {
  const known = new Set<string>();
  const { conclusion } = await runPlan(
    workflow,
    {
      runId: String(run.id),
      github: githubContext(hub, run),
      vars: variablesFor(run.repository),
      inputs: run.inputs,
      secrets: {},
      slots: {
        queue: new PQueue({ concurrency: Number.POSITIVE_INFINITY }),
        groups: run.repository.groups,
      },
      runLeg(job, signal) {
        known.add(job.name);
        const kept = keep(job.job, job.name);
        return kept ? keepJob(hub, run, kept) : waitForJob(hub, run, job, signal);
      },
      report(event) {
        if (event.type === "job_finished" && !known.has(event.name)) endUnstarted(hub, run, event);
      },
    },
    AbortSignal.any([run.cancel.signal, hub.closed]),
  );
  return conclusion;
}

async function waitForJob(
  hub: Hub,
  run: Run,
  description: JobDescription,
  signal: AbortSignal,
): Promise<JobResult> {
  const { promise, resolve } = Promise.withResolvers<JobResult>();
  const isReviewed = run.repository.reviewedEnvironments.has(environmentOf(description) ?? "");
  const { job: key, name, labels } = description;
  const status = isReviewed ? "waiting" : "queued";
  const job = createJob(hub, run, { key, name, labels, status }, resolve);
  const cancel = () => {
    if (job.status !== "completed") completeJob(hub, job, { conclusion: "cancelled" }, run.sender);
  };
  // A job that goes on after a cancellation still ends with the hub.
  const ends = AbortSignal.any([signal, hub.closed]);
  ends.addEventListener("abort", cancel, { once: true });
  if (ends.aborted || run.isForced) cancel();
  try {
    return await promise;
  } finally {
    ends.removeEventListener("abort", cancel);
  }
}

/** The name of a job's environment, where it is written out. */
function environmentOf({ environment }: JobDescription): string | undefined {
  if (typeof environment === "string") return environment;
  if (environment === null || typeof environment !== "object" || !("map" in environment)) {
    return undefined;
  }
  const name = environment.map.find(([key]) => key === "name")?.[1];
  return typeof name === "string" ? name : undefined;
}

/** A job of an earlier attempt shows up again under a new id, with its result, and no event tells of it. */
async function keepJob(hub: Hub, run: Run, kept: Job): Promise<JobResult> {
  const job: Job = { ...kept, id: hub.nextId(), attempt: run.attempt };
  run.jobs.push(job);
  hub.jobs.set(job.id, job);
  return { conclusion: job.conclusion ?? "success", outputs: job.outputs };
}

/** A job that was skipped, or cancelled before its turn: it appears and has ended in the same moment. */
function endUnstarted(
  hub: Hub,
  run: Run,
  event: Extract<JobEvent, { type: "job_finished" }>,
): void {
  const { job: key, name, conclusion } = event;
  const facts = { key, name, labels: [], status: "queued", isUnstarted: true } as const;
  const job = createJob(hub, run, facts, () => {});
  completeJob(hub, job, { conclusion }, run.sender);
}
