import { BerthError } from "../errors.ts";
import { evaluateTemplate, isTruthy, type Scope, toText } from "../expressions/evaluate.ts";
import type { Json, Template } from "../expressions/template.ts";
import type { JobDescription } from "../job/job-description.ts";
import type { GroupRequest } from "./concurrency-groups.ts";
import { nameJob } from "./job-name.ts";
import { expandMatrix, type Leg, MatrixError } from "./matrix.ts";
import type { Workflow, WorkflowJob } from "./workflow.ts";

const DEFAULT_TIMEOUT_MINUTES = 360;
const MAX_GROUP_CHARACTERS = 400;

type Contexts = Scope["contexts"];

/** `strategy` with its expressions evaluated and its matrix multiplied out. */
export type Strategy = {
  readonly failFast: boolean;
  /** Legs at once; all when the workflow does not say. */
  readonly maxParallel: number;
  /** One without values when there is no matrix. */
  readonly legs: readonly { readonly index: number; readonly leg?: Leg }[];
};

/** One leg, ready to run, with what the plan needs to know about it. */
export type PlannedLeg = {
  readonly description: JobDescription;
  readonly continueOnError: boolean;
  readonly concurrency?: GroupRequest;
};

/** What every job of a run shares. */
export type RunFacts = {
  readonly runId: string;
  readonly github: { readonly [name: string]: Json };
  readonly vars: { readonly [name: string]: string };
  readonly inputs: Json;
  readonly secrets: { readonly [name: string]: string };
  /** Variables from outside, below those of the workflow. */
  readonly env?: { readonly [name: string]: string };
};

/**
 * Evaluates `strategy`, with the contexts github, inputs, vars and needs.
 *
 * @throws {BerthError} `WORKFLOW_INVALID` for a wrong expression, matrix, or limit.
 */
export async function resolveStrategy(job: WorkflowJob, contexts: Contexts): Promise<Strategy> {
  const strategy = await evaluateTemplate(job.strategy ?? null, { contexts });
  const { matrix, "fail-fast": failFast, "max-parallel": maxParallel } = asObject(strategy);
  const legs =
    matrix === undefined || matrix === null
      ? [{ index: 0 }]
      : multiplyOut(job, matrix).map((leg, index) => ({ index, leg }));
  if (maxParallel !== undefined && !(Number(maxParallel) >= 1)) {
    throw invalid(job, `max-parallel must be a number from 1, not '${toText(maxParallel)}'`);
  }
  return {
    failFast: failFast === undefined || isTruthy(failFast),
    maxParallel: maxParallel === undefined ? legs.length : Math.floor(Number(maxParallel)),
    legs,
  };
}

/** Evaluates what is evaluated before a leg is queued: its name, labels, limits, and concurrency group. */
export async function describeLeg(
  workflow: Workflow,
  job: WorkflowJob,
  strategy: Strategy,
  { index, leg }: Strategy["legs"][number],
  run: RunFacts,
  needs: Json,
): Promise<PlannedLeg> {
  const strategyContext = {
    "fail-fast": strategy.failFast,
    "job-index": index,
    "job-total": strategy.legs.length,
    "max-parallel": strategy.maxParallel,
  };
  const matrix = leg?.matrix ?? null;
  const { github, vars, inputs } = run;
  const scope: Scope = {
    contexts: { github, inputs, vars, needs, strategy: strategyContext, matrix },
  };
  const evaluate = (template: Template | undefined) => evaluateTemplate(template ?? null, scope);

  const name = nameJob(
    job.id,
    job.name === undefined
      ? undefined
      : { text: toText(await evaluate(job.name)), isEvaluated: typeof job.name === "object" },
    leg?.named,
  );
  const concurrency =
    job.concurrency === undefined ? undefined : readGroup(job, await evaluate(job.concurrency));
  const labels = readLabels(job, await evaluate(job.runsOn));
  const permissions = job.permissions ?? workflow.permissions;
  const optional = {
    ...(job.container !== undefined && { container: job.container }),
    ...(job.services !== undefined && { services: job.services }),
    ...(job.outputs !== undefined && { outputs: job.outputs }),
    ...(job.environment !== undefined && { environment: job.environment }),
    ...(permissions && { permissions }),
  };

  return {
    continueOnError: isTruthy(await evaluate(job.continueOnError)),
    ...(concurrency && { concurrency }),
    description: {
      id: jobId(run.runId, job.id, leg && index),
      runId: run.runId,
      job: job.id,
      name,
      labels,
      contexts: { github, needs, strategy: strategyContext, matrix, inputs, vars },
      secrets: run.secrets,
      env: [
        ...(run.env ? [{ map: Object.entries(run.env) }] : []),
        ...(workflow.env === undefined ? [] : [workflow.env]),
        ...(job.env === undefined ? [] : [job.env]),
      ],
      defaults: { ...workflow.defaults, ...withoutEmpty(job.defaults) },
      steps: job.steps,
      timeoutMinutes: readTimeout(job, await evaluate(job.timeoutMinutes)),
      workflowFile: workflow.file,
      ...optional,
    },
  };
}

function multiplyOut(job: WorkflowJob, matrix: Json): Leg[] {
  try {
    return expandMatrix(matrix);
  } catch (error) {
    if (error instanceof MatrixError) throw invalid(job, error.message);
    throw error;
  }
}

/** Unique and the same each time: also fit for a container's name. */
function jobId(runId: string, job: string, index: number | undefined): string {
  const base = `${runId}.${job}`.replace(/[^A-Za-z0-9_.-]/g, "_");
  return index === undefined ? base : `${base}.${index + 1}`;
}

/**
 * A job's or workflow's evaluated `concurrency`.
 *
 * @throws {BerthError} `WORKFLOW_INVALID` when the group is empty or too long.
 */
export function readGroup(
  owner: { readonly id: string; readonly at: WorkflowJob["at"] },
  value: Json,
): GroupRequest {
  const fields = isObject(value) ? value : { group: value };
  const group = toText(fields.group ?? null);
  if (group.trim() === "") throw invalid(owner, "the concurrency group is empty");
  if (group.length > MAX_GROUP_CHARACTERS) {
    throw invalid(owner, `the concurrency group is longer than ${MAX_GROUP_CHARACTERS} characters`);
  }
  return {
    group,
    cancelInProgress: isTruthy(fields["cancel-in-progress"] ?? false),
    queue: fields.queue === "max" ? "max" : "single",
  };
}

/**
 * The labels of an evaluated `runs-on`.
 *
 * @throws {BerthError} `WORKFLOW_INVALID` when it names neither a label nor a group.
 */
export function readLabels(job: WorkflowJob, value: Json): string[] {
  const fields = isObject(value) ? asObject(value) : { labels: value };
  const given = fields.labels ?? [];
  const labels = (isList(given) ? given : [given]).map(toText).filter((label) => label !== "");
  if (labels.length === 0 && !fields.group) throw invalid(job, "runs-on names no label");
  return labels;
}

function readTimeout(job: WorkflowJob, value: Json): number {
  if (value === null) return DEFAULT_TIMEOUT_MINUTES;
  const minutes = Number(toText(value));
  if (minutes > 0) return minutes;
  throw invalid(job, `timeout-minutes must be a positive number, not '${toText(value)}'`);
}

function withoutEmpty(defaults: WorkflowJob["defaults"]): WorkflowJob["defaults"] {
  return Object.fromEntries(Object.entries(defaults).filter(([, value]) => value !== ""));
}

function invalid(
  { id, at }: { readonly id: string; readonly at: WorkflowJob["at"] },
  reason: string,
): BerthError {
  return new BerthError("WORKFLOW_INVALID", {
    message: `${at.file}:${at.line}:${at.column}: Job '${id}': ${reason}`,
  });
}

function asObject(value: Json): { readonly [key: string]: Json } {
  return isObject(value) ? value : {};
}

function isObject(value: Json): value is { readonly [key: string]: Json } {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}

function isList(value: Json): value is readonly Json[] {
  return Array.isArray(value);
}
