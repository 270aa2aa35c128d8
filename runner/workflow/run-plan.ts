import PQueue from "p-queue";
import { textOf } from "../errors.ts";
import { evaluateCondition, evaluateTemplate } from "../expressions/evaluate.ts";
import type { Json } from "../expressions/template.ts";
import type { JobResult } from "../job/execute-job.ts";
import type { Conclusion, JobDescription } from "../job/job-description.ts";
import type { JobEvent } from "../job/job-event.ts";
import { ConcurrencyGroups } from "./concurrency-groups.ts";
import {
  describeLeg,
  type PlannedLeg,
  type RunFacts,
  readGroup,
  resolveStrategy,
  type Strategy,
} from "./describe-job.ts";
import { jobStatusFunctions } from "./job-status.ts";
import { isWantedLeg, type LegFilter } from "./leg-filter.ts";
import { JOB_OUTPUT_LIMIT_BYTES, outputBytes, RUN_OUTPUT_LIMIT_BYTES } from "./output-limits.ts";
import { type BegunLeg, runLegs } from "./run-legs.ts";
import { ancestorsOf, selectJobs } from "./select-jobs.ts";
import type { Workflow, WorkflowJob } from "./workflow.ts";

/** What runs that go on side by side share: room for jobs, and the concurrency groups of their repository. */
export type RunSlots = { readonly queue: PQueue; readonly groups: ConcurrencyGroups };

export function createRunSlots(maxParallel: number): RunSlots {
  return { queue: new PQueue({ concurrency: maxParallel }), groups: new ConcurrencyGroups() };
}

export type RunPlanOptions = RunFacts & {
  /** These jobs and what they need; without it all. */
  readonly onlyJobs?: readonly string[];
  readonly matrixFilter?: LegFilter;
  readonly slots: RunSlots;
  /**
   * By id: the jobs that an earlier life of this run gave to `runLeg`. They are given to it again, with a signal that is aborted where
   * they were cancelled meanwhile: what they hold has to be ended, and how they ended counts.
   */
  readonly begun?: ReadonlyMap<string, BegunLeg>;
  /**
   * Runs one job to its end and reports what happens in it. An error means that nothing can run any more: it cancels the rest
   * and comes out of `runPlan`.
   */
  runLeg(job: JobDescription, signal: AbortSignal): Promise<JobResult>;
  /** Hears the end of jobs that never got to `runLeg`, and of outputs that were too much. */
  report(event: JobEvent): void;
};

/** How a job ended for those that need it: all its legs in one, a failure with `continue-on-error` being a success. */
export type JobOutcome = {
  readonly result: Conclusion;
  readonly outputs: { readonly [name: string]: string };
};

export type RunResult = {
  readonly conclusion: Conclusion;
  /** By job id. */
  readonly jobs: { readonly [id: string]: JobOutcome };
};

/**
 * Runs the jobs of a workflow, each when those it needs have ended. `signal` cancels the run as a user would: jobs whose `if`
 * still holds, such as `always()`, go on or are still started.
 *
 * @throws {BerthError} What `runLeg` threw; `USAGE` for an unknown job in `onlyJobs`; `WORKFLOW_INVALID` for the workflow's own
 * `concurrency`. What is wrong with one job's expressions fails that job.
 */
export async function runPlan(
  workflow: Workflow,
  options: RunPlanOptions,
  signal: AbortSignal,
): Promise<RunResult> {
  const jobs = selectJobs(workflow, options.onlyJobs);
  const { github, vars, inputs, slots } = options;
  if (workflow.concurrency === undefined) return await runJobs(workflow, jobs, options, { signal });

  const group = readGroup(
    { id: workflow.file, at: { file: workflow.file, line: 1, column: 1 } },
    await evaluateTemplate(workflow.concurrency, { contexts: { github, vars, inputs } }),
  );
  const isBack = (options.begun?.size ?? 0) > 0;
  using place = await slots.groups.enter(group, signal, { isBack });
  if (place) {
    const either = AbortSignal.any([signal, place.cancelled]);
    return await runJobs(workflow, jobs, options, { signal: either, ownGroup: group.group });
  }
  const reason = signal.aborted
    ? "The run was cancelled."
    : `A newer run waits for the concurrency group '${group.group}'.`;
  if (isBack) {
    return await runJobs(workflow, jobs, options, { signal: AbortSignal.abort(reason) });
  }
  for (const job of jobs) reportUnstarted(options, job, "cancelled", reason);
  const outcome: JobOutcome = { result: "cancelled", outputs: {} };
  return {
    conclusion: "cancelled",
    jobs: Object.fromEntries(jobs.map((job) => [job.id, outcome])),
  };
}

async function runJobs(
  workflow: Workflow,
  jobs: readonly WorkflowJob[],
  options: RunPlanOptions,
  { signal, ownGroup }: { signal: AbortSignal; ownGroup?: string },
): Promise<RunResult> {
  const ancestors = ancestorsOf(jobs);
  const outcomes = new Map<string, JobOutcome>();
  const running = new Map<string, Promise<void>>();
  const broken = new AbortController();
  let totalBytes = 0;

  /** Outputs beyond the limits fail their job; it has been reported already, so an annotation says why. */
  const limited = (job: WorkflowJob, outcome: JobOutcome): JobOutcome => {
    const bytes = outputBytes(outcome.outputs);
    totalBytes += bytes;
    const isTooMuch = bytes > JOB_OUTPUT_LIMIT_BYTES || totalBytes > RUN_OUTPUT_LIMIT_BYTES;
    if (!isTooMuch) return outcome;
    const limit = bytes > JOB_OUTPUT_LIMIT_BYTES ? "1 MiB a job" : "50 MiB a run";
    const message = `The outputs of job '${job.id}' are larger than the limit of ${limit}.`;
    const name = job.nameText ?? job.id;
    options.report({ type: "annotation", job: job.id, name, step: 1, level: "error", message });
    return { result: "failure", outputs: {} };
  };

  const runJob = async (job: WorkflowJob): Promise<void> => {
    await Promise.all(job.needs.map((id) => running.get(id) ?? Promise.resolve()));
    const upstream = new Map([...outcomes].map(([id, { result }]) => [id, result]));
    const status = jobStatusFunctions(
      ancestors.get(job.id) ?? new Set(),
      upstream,
      () => signal.aborted,
    );
    const needs = Object.fromEntries(job.needs.map((id) => [id, needOf(outcomes.get(id))]));
    const contexts = { github: options.github, inputs: options.inputs, vars: options.vars, needs };
    const isStillWanted = () => evaluateCondition(job.if, { contexts, status }, job.ifAt);

    let planned: PlannedJob | undefined;
    try {
      if (!broken.signal.aborted && (hasBegun(job, options) || (await isStillWanted()))) {
        planned = await planJob(workflow, job, options, needs);
      }
    } catch (error) {
      const reason = textOf(error);
      reportUnstarted(options, job, "failure", reason);
      outcomes.set(job.id, { result: "failure", outputs: {} });
      return;
    }
    if (!planned || planned.legs.length === 0) {
      const isFilteredOut = planned?.isFilteredOut;
      const reason = isFilteredOut ? "No leg of its matrix has the values asked for." : undefined;
      reportUnstarted(options, job, "skipped", reason);
      outcomes.set(job.id, { result: "skipped", outputs: {} });
      return;
    }
    const outcome = await runLegs(planned, {
      slots: options.slots,
      begun: options.begun ?? new Map(),
      ...(ownGroup !== undefined && { ownGroup }),
      runLeg: options.runLeg,
      report: options.report,
      isStillWanted,
      signals: { cancelled: signal, broken: broken.signal },
    });
    outcomes.set(job.id, limited(job, outcome));
  };

  for (const job of inOrderOfNeed(jobs, ancestors)) {
    const promise = runJob(job).catch((error: unknown) => {
      outcomes.set(job.id, { result: "failure", outputs: {} });
      broken.abort(error);
    });
    running.set(job.id, promise);
  }
  await Promise.all(running.values());
  if (broken.signal.aborted) throw broken.signal.reason;
  return {
    conclusion: concludeRun([...outcomes.values()], signal.aborted),
    jobs: Object.fromEntries(outcomes),
  };
}

function hasBegun(job: WorkflowJob, { runId, begun = new Map() }: RunPlanOptions): boolean {
  const id = `${runId}.${job.id}`;
  return [...begun.keys()].some((leg: string) => leg === id || leg.startsWith(`${id}.`));
}

type PlannedJob = {
  readonly strategy: Strategy;
  readonly legs: PlannedLeg[];
  /** It has legs, and none of them is wanted. */
  readonly isFilteredOut: boolean;
};

async function planJob(
  workflow: Workflow,
  job: WorkflowJob,
  options: RunPlanOptions,
  needs: Json,
): Promise<PlannedJob> {
  const { github, inputs, vars, matrixFilter = {} } = options;
  const strategy = await resolveStrategy(job, { github, inputs, vars, needs });
  const wanted = strategy.legs.filter(({ leg }) => isWantedLeg(leg?.matrix, matrixFilter));
  const legs: PlannedLeg[] = [];
  for (const leg of wanted) {
    legs.push(await describeLeg(workflow, job, strategy, leg, options, needs));
  }
  return { strategy, legs, isFilteredOut: strategy.legs.length > 0 && legs.length === 0 };
}

function needOf(outcome: JobOutcome | undefined): Json {
  return { result: outcome?.result ?? "skipped", outputs: outcome?.outputs ?? {} };
}

function concludeRun(outcomes: readonly JobOutcome[], isCancelled: boolean): Conclusion {
  const results = new Set(outcomes.map(({ result }) => result));
  if (results.has("failure")) return "failure";
  if (results.has("cancelled") || isCancelled) return "cancelled";
  return results.has("success") ? "success" : "skipped";
}

function reportUnstarted(
  { report }: RunPlanOptions,
  job: WorkflowJob,
  conclusion: Conclusion,
  reason?: string,
): void {
  const name = job.nameText ?? job.id;
  const event = {
    type: "job_finished",
    job: job.id,
    name,
    conclusion,
    outputs: {},
    ms: 0,
  } as const;
  report(reason === undefined ? event : { ...event, reason });
}

function inOrderOfNeed(
  jobs: readonly WorkflowJob[],
  ancestors: ReadonlyMap<string, ReadonlySet<string>>,
): WorkflowJob[] {
  const depth = (job: WorkflowJob) => ancestors.get(job.id)?.size ?? 0;
  return jobs.toSorted((a, b) => depth(a) - depth(b));
}
