import type { JobResult } from "../../runner/job/execute-job.ts";
import type { Conclusion } from "../../runner/job/job-description.ts";
import { emitCheckRun } from "./check-events.ts";
import { type CheckRun, suiteFor } from "./checks.ts";
import { emit } from "./emit.ts";
import { type Account, type Hub, timestamp } from "./hub.ts";
import type { JobStep, RunnerFacts } from "./hub-facts.ts";
import { jobPayload, runPayload, workflowPayload } from "./run-payload.ts";
import { type Job, jobsOf, type Run } from "./runs.ts";

/** A job that begins its life, and what is known of it. */
export type NewJob = {
  readonly key: string;
  readonly name: string;
  readonly labels: readonly string[];
  readonly status: "queued" | "waiting";
  /** It ends before anyone could take it: no event tells that it is queued. */
  readonly isUnstarted?: boolean;
};

/** Puts a job into its run and tells everyone. `settle` hears once how it ended. */
export function createJob(
  hub: Hub,
  run: Run,
  { key, name, labels, status, isUnstarted = false }: NewJob,
  settle: (result: JobResult) => void,
): Job {
  const at = timestamp(hub);
  const job: Job = {
    ...{ id: hub.nextId(), run, attempt: run.attempt, key, name, labels, status },
    ...{ createdAt: at, startedAt: at, completedAt: null, conclusion: null },
    ...{ steps: [], runner: undefined, outputs: {}, settle },
  };
  run.jobs.push(job);
  hub.jobs.set(job.id, job);
  const check = createCheck(hub, job);
  hub.checkRuns.set(check.id, check);
  emitCheckRun(hub, check, "created", run.sender);
  if (isUnstarted) return job;
  updateRun(hub, run);
  emitJob(hub, job, status, run.sender);
  return job;
}

/** A person lets a job into its environment: it can be taken now. */
export function approveJob(hub: Hub, job: Job, sender: Account): void {
  expectStatus(job, ["waiting"], "approved");
  job.status = "queued";
  updateRun(hub, job.run);
  emitJob(hub, job, "queued", sender);
}

/** A runner takes a job. */
export function startJob(hub: Hub, job: Job, runner: RunnerFacts): void {
  expectStatus(job, ["queued"], "started");
  job.status = "in_progress";
  job.startedAt = timestamp(hub);
  job.runner = { id: hub.nextId(), group: "Default", ...runner };
  showInCheck(hub, job);
  updateRun(hub, job.run);
  emitJob(hub, job, "in_progress", job.run.actor);
}

/** Ends a job, whatever it did before. */
export function completeJob(
  hub: Hub,
  job: Job,
  result: {
    readonly conclusion: Conclusion;
    readonly outputs?: { readonly [name: string]: string };
    readonly steps?: readonly JobStep[];
  },
  sender: Account,
): void {
  expectStatus(job, ["waiting", "queued", "in_progress"], "completed");
  const { conclusion, outputs = {}, steps = job.steps } = result;
  Object.assign(job, { status: "completed", conclusion, outputs, steps });
  job.completedAt = timestamp(hub);
  const check = showInCheck(hub, job);
  if (check) emitCheckRun(hub, check, "completed", sender);
  updateRun(hub, job.run);
  emitJob(hub, job, "completed", sender);
  job.settle({ conclusion, outputs });
}

/** Brings a run's status up to its jobs'; says `in_progress` when the first of them starts. */
export function updateRun(hub: Hub, run: Run): void {
  run.updatedAt = timestamp(hub);
  if (run.status === "completed") return;
  const before = run.status;
  const statuses = new Set(jobsOf(run).map((job) => job.status));
  const isBegun = before === "in_progress" || statuses.has("in_progress");
  if (isBegun) run.status = "in_progress";
  else if (statuses.has("queued")) run.status = "queued";
  else if (statuses.has("waiting")) run.status = "waiting";
  if (isBegun && before !== "in_progress") emitRun(hub, run, "in_progress");
}

export function emitRun(hub: Hub, run: Run, action: string): void {
  emit(hub, {
    event: "workflow_run",
    action,
    repository: run.repository,
    sender: run.sender,
    fields: { workflow_run: runPayload(hub, run), workflow: workflowPayload(hub, run) },
  });
}

function emitJob(hub: Hub, job: Job, action: string, sender: Account): void {
  emit(hub, {
    event: "workflow_job",
    action,
    repository: job.run.repository,
    sender,
    fields: { workflow_job: jobPayload(hub, job), deployment: null },
  });
}

function createCheck(hub: Hub, job: Job): CheckRun {
  const { run } = job;
  const { repository, headSha, headBranch } = run;
  const at = job.createdAt;
  const facts = { repository, owner: "actions", headSha, headBranch, createdAt: at } as const;
  return {
    ...{ id: job.id, repository, owner: "actions", headSha, name: job.name },
    suite: suiteFor(hub, facts),
    status: "queued",
    conclusion: null,
    detailsUrl: `${hub.url}/${repository.fullName}/actions/runs/${run.id}/job/${job.id}`,
    externalId: "",
    ...{ startedAt: at, completedAt: null, title: null, summary: null, text: null },
    ...{ annotations: [], actions: [] },
  };
}

function showInCheck(hub: Hub, job: Job): CheckRun | undefined {
  const check = hub.checkRuns.get(job.id);
  const { status, conclusion, startedAt, completedAt } = job;
  return check && Object.assign(check, { status, conclusion, startedAt, completedAt });
}

function expectStatus(job: Job, expected: readonly Job["status"][], done: string): void {
  if (expected.includes(job.status)) return;
  throw new Error(`Job ${job.id} (${job.name}) is ${job.status} and cannot be ${done}.`);
}
