import type { ActionSource } from "../../runner/actions/action-source.ts";
import { type ExecuteJobDeps, executeJob, type JobResult } from "../../runner/job/execute-job.ts";
import type { Conclusion, JobDescription } from "../../runner/job/job-description.ts";
import type { JobEvent } from "../../runner/job/job-event.ts";
import type { WorkingTree } from "../../runner/job/working-tree.ts";
import { type RunResult, type RunSlots, runPlan } from "../../runner/workflow/run-plan.ts";
import type { Workflow } from "../../runner/workflow/workflow.ts";
import { nextRunNumber } from "../store/run-number.ts";
import { refuseLabels } from "./choose-image.ts";
import type { JsonObject } from "./event/event-payload.ts";
import { githubContext } from "./event/github-context.ts";
import type { RepositoryFacts } from "./event/read-repository.ts";
import type { NarrowedStart } from "./narrow-to-jobs.ts";
import type { RunRequest } from "./read-run-request.ts";
import type { Start } from "./start-event.ts";
import type { RunEvent } from "./view/run-event.ts";
import { workingTreeOf } from "./working-tree-of.ts";

/** A workflow with everything it needs to be run once. */
export type PreparedRun = {
  readonly id: string;
  readonly workflow: Workflow;
  readonly start: NarrowedStart;
  readonly github: JsonObject;
  readonly request: RunRequest;
  /** What `actions/checkout` of the repository itself yields; absent when it is the real action. */
  readonly workingTree?: WorkingTree;
};

/** Gives a run its identity. */
export async function prepareRun(
  start: NarrowedStart,
  options: {
    readonly request: RunRequest;
    readonly facts: RepositoryFacts;
    readonly stateFolder: string;
    /** A new one when left out. */
    readonly runId?: string | undefined;
  },
): Promise<PreparedRun> {
  const { request, facts, stateFolder, runId: id = newRunId() } = options;
  const { workflow } = start;
  const key = `${facts.repository} ${facts.root} ${workflow.file}`;
  const runNumber = await nextRunNumber(stateFolder, key);
  const github = contextOf(start, { id, runNumber }, { request, facts });
  const workingTree = request.realCheckout ? undefined : workingTreeOf(facts, github);
  return { id, workflow, start, github, request, ...(workingTree && { workingTree }) };
}

/** The `github` context of a run. */
export function contextOf(
  { eventName, event, workflow }: Start,
  { id, runNumber }: { id: string; runNumber: number },
  { request, facts }: { request: RunRequest; facts: RepositoryFacts },
): JsonObject {
  const { event: given, githubUrl, apiUrl } = request;
  const origin = {
    eventName,
    event,
    actor: given.actor,
    ...(githubUrl !== undefined && { githubUrl }),
    ...(apiUrl !== undefined && { apiUrl }),
  };
  const identity = {
    runId: id,
    runNumber,
    workflowFile: workflow.file,
    workflow: workflow.name ?? workflow.file,
  };
  return githubContext(origin, identity, facts);
}

/** 16 digits, later runs higher; two that begin in the same millisecond hardly ever share one. */
function newRunId(): string {
  const random = Math.floor(Math.random() * 1000);
  return String(Date.now() * 1000 + random);
}

export type RunWorkflowOptions = {
  readonly slots: RunSlots;
  readonly openPlace: ExecuteJobDeps["openPlace"];
  readonly actions: ActionSource;
  /** Keeps the jobs of several runs apart that were given the same id. */
  readonly jobSuffix?: string;
  show(event: RunEvent): void;
  /** Heard before the job's place goes. */
  onJobEnd(job: JobDescription, conclusion: Conclusion): void;
  readonly signals: { readonly cancel: AbortSignal; readonly kill: AbortSignal };
};

/**
 * Runs one workflow to its end, telling all that happens.
 *
 * @throws {BerthError} When nothing can run any more; `run_finished` is told all the same.
 */
export async function runWorkflow(
  { id, workflow, start, github, request, workingTree }: PreparedRun,
  options: RunWorkflowOptions,
): Promise<RunResult> {
  const { slots, show, signals } = options;
  const begin = performance.now();
  const now = isoClock();
  // People read these lines as JSON too: what it is and when come first.
  const tell = (event: Told) =>
    show({ type: event.type, at: now(), run: id, ...(event as object) } as RunEvent);
  const finish = (conclusion: Conclusion) =>
    tell({ type: "run_finished", conclusion, ms: Math.round(performance.now() - begin) });

  tell({
    type: "run_started",
    workflow: workflow.file,
    event: start.eventName,
    sha: String(github.sha),
  });
  try {
    const result = await runPlan(
      workflow,
      {
        runId: id,
        github,
        vars: request.vars,
        inputs: start.inputs,
        secrets: request.secrets,
        env: request.env,
        onlyJobs: start.onlyJobs,
        matrixFilter: request.matrixFilter,
        slots,
        report: tell,
        runLeg: (job, signal) =>
          runJob(
            withSuffix(job, options.jobSuffix),
            { ...options, tell, request, workingTree },
            signal,
          ),
      },
      signals.cancel,
    );
    finish(result.conclusion);
    return result;
  } catch (error) {
    finish(signals.cancel.aborted ? "cancelled" : "failure");
    throw error;
  }
}

function withSuffix(job: JobDescription, suffix: string | undefined): JobDescription {
  return suffix === undefined ? job : { ...job, id: `${job.id}.${suffix}` };
}

/** `Omit` on a union keeps only what all its members share; this keeps the members apart. */
type Told = RunEvent extends infer E ? (E extends RunEvent ? Omit<E, "run" | "at"> : never) : never;

type RunJobOptions = RunWorkflowOptions & {
  readonly request: RunRequest;
  readonly workingTree: WorkingTree | undefined;
  tell(event: Told): void;
};

async function runJob(
  job: JobDescription,
  options: RunJobOptions,
  signal: AbortSignal,
): Promise<JobResult> {
  const { openPlace, onJobEnd, request, signals, tell, actions, workingTree } = options;
  const refusal = refuseLabels(job.labels, request.images);
  if (refusal !== undefined) return refuse(job, refusal, tell);
  const report = (event: JobEvent) => {
    tell(event);
    if (event.type === "job_finished") onJobEnd(job, event.conclusion);
  };
  const deps = { openPlace, report, actions, kill: signals.kill };
  return executeJob(job, { ...deps, ...(workingTree && { workingTree }) }, signal);
}

function refuse(job: JobDescription, reason: string, tell: (event: Told) => void): JobResult {
  const { name } = job;
  const conclusion = "failure";
  tell({ type: "job_finished", job: job.job, name, conclusion, outputs: {}, ms: 0, reason });
  return { conclusion, outputs: {}, reason };
}

/** The time in ISO 8601. A log can have many lines in one millisecond, and making the text is most of what a line costs here. */
function isoClock(): () => string {
  let last = 0;
  let text = "";
  return () => {
    const now = Date.now();
    if (now !== last) text = new Date(now).toISOString();
    last = now;
    return text;
  };
}
