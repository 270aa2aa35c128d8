import { type ContextPath, contextPaths } from "../../runner/expressions/context-paths.ts";
import type { Position, Template } from "../../runner/expressions/template.ts";
import type { Workflow, WorkflowJob } from "../../runner/workflow/workflow.ts";

/** An expression of a workflow, where it stands, and what it reads. */
export type UsedExpression = {
  readonly text: string;
  readonly at: Position;
  readonly paths: readonly ContextPath[];
};

/** The expressions that planning evaluates: whether a job runs, as which legs, under which name, with which labels. */
export function planExpressions(job: WorkflowJob): UsedExpression[] {
  const { name, strategy, runsOn, concurrency, timeoutMinutes, continueOnError } = job;
  return [
    ...read(job.if, job.ifAt ?? job.at),
    ...expressionsIn(
      [name, strategy, runsOn, concurrency, timeoutMinutes, continueOnError],
      job.at,
    ),
  ];
}

/** All expressions of a job, those of planning among them. */
export function jobExpressions(job: WorkflowJob): UsedExpression[] {
  const { container, services, env, environment, outputs, defaults } = job;
  const parts = [container, services, env, environment, outputs, ...Object.values(defaults)];
  return [...planExpressions(job), ...expressionsIn(parts, job.at), ...job.steps.flatMap(ofStep)];

  function ofStep(step: WorkflowJob["steps"][number]): UsedExpression[] {
    const at = step.at ?? job.at;
    const { name, env: variables, continueOnError, timeoutMinutes } = step;
    const own = step.kind === "run" ? [step.run, step.shell, step.workingDirectory] : [step.with];
    const all = [name, variables, continueOnError, timeoutMinutes, ...own];
    return [...read(step.if, at), ...expressionsIn(all, at)];
  }
}

/** What stands above the jobs and counts for all of them. */
export function workflowExpressions(workflow: Workflow): UsedExpression[] {
  const { env, concurrency, defaults, file } = workflow;
  const top = { file, line: 1, column: 1 };
  return expressionsIn([env, concurrency, ...Object.values(defaults)], top);
}

/** The expressions of templates; `at` is where one stands that does not say. */
export function expressionsIn(
  templates: readonly (Template | undefined)[],
  at: Position,
): UsedExpression[] {
  return templates.flatMap((template) => {
    if (template === undefined || template === null || typeof template !== "object") return [];
    if ("expr" in template) return read(template.expr, template.at ?? at);
    if ("seq" in template) return expressionsIn(template.seq, at);
    return template.map.flatMap(([key, value]) => {
      const isInsert = typeof key === "object" && key !== null && "insert" in key;
      return expressionsIn([isInsert ? undefined : key, value], at);
    });
  });
}

/** `file:line:column` */
export function printPlace({ file, line, column }: Position): string {
  return `${file}:${line}:${column}`;
}

/** One that cannot be parsed reads nothing: evaluation says what is wrong with it. */
function read(text: string, at: Position): UsedExpression[] {
  try {
    return [{ text, at, paths: contextPaths(text) }];
  } catch (error) {
    if (error instanceof SyntaxError) return [];
    throw error;
  }
}
