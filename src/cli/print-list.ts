import { toText } from "../../runner/expressions/evaluate.ts";
import type { Json } from "../../runner/expressions/template.ts";
import type { ListedJob } from "../../runner/workflow/plan.ts";

/** A workflow's jobs in the order in which they would begin. */
export type ListedWorkflow = { readonly workflow: string; readonly jobs: readonly ListedJob[] };

/** `--list --json`: one object. Only where there are several workflows does a job say whose it is. */
export function listAsJson(workflows: readonly ListedWorkflow[]): string {
  const isOne = workflows.length === 1;
  const jobs = workflows.flatMap(({ workflow, jobs }) =>
    jobs.map(({ id, name, needs, stage, legs }) => ({
      ...(isOne ? {} : { workflow }),
      id,
      name,
      needs,
      stage,
      legs,
    })),
  );
  return `${JSON.stringify({ jobs })}\n`;
}

/** `--list` for people. */
export function printList(workflows: readonly ListedWorkflow[]): string {
  return workflows.map(printWorkflow).join("\n");
}

function printWorkflow({ workflow, jobs }: ListedWorkflow): string {
  const lines = jobs.flatMap((job) => {
    const needs = job.needs.length === 0 ? "" : `  needs ${job.needs.join(", ")}`;
    const name = job.name === job.id ? "" : `  (${job.name})`;
    return [`  ${job.stage + 1}. ${job.id}${name}${needs}`, ...legLines(job)];
  });
  return [workflow, ...lines, ""].join("\n");
}

function legLines({ legs }: ListedJob): string[] {
  if (legs.length === 0) return ["       matrix from what other jobs put out"];
  return legs.flatMap((leg) => {
    const values = typeof leg === "object" && leg !== null ? Object.entries(leg) : [];
    if (values.length === 0) return [];
    return [`       ${values.map(([key, value]) => `${key}: ${valueText(value)}`).join(", ")}`];
  });
}

function valueText(value: Json): string {
  return typeof value === "object" && value !== null ? JSON.stringify(value) : toText(value);
}
