import type { ContextPath } from "../../runner/expressions/context-paths.ts";
import type { Workflow, WorkflowJob } from "../../runner/workflow/workflow.ts";
import type { RunSnapshot } from "./run-facts.ts";
import {
  jobExpressions,
  planExpressions,
  printPlace,
  workflowExpressions,
} from "./used-expressions.ts";

/**
 * Why jobs cannot run without the payload of their event: the first expression that reads it. `undefined` when the payload is there, or
 * nothing reads it.
 *
 * @param own Jobs whose steps run here; of the others only what planning evaluates counts.
 */
export function eventIsMissed(
  workflow: Workflow,
  own: readonly WorkflowJob[],
  { payloadMissing, event }: RunSnapshot,
): string | undefined {
  if (payloadMissing === undefined) return undefined;
  const used = [
    ...workflowExpressions(workflow),
    ...workflow.jobs.flatMap((job) =>
      own.includes(job) ? jobExpressions(job) : planExpressions(job),
    ),
  ];
  const found = used.find(({ paths }) => paths.some((path) => readsEvent(path, event)));
  return (
    found &&
    `${printPlace(found.at)}: \${{ ${found.text} }} reads the payload of the event, and that is missing: ${payloadMissing}.`
  );
}

function readsEvent([context, key]: ContextPath, event: string): boolean {
  if (context === "inputs") return event === "workflow_dispatch";
  return context === "github" && (key === undefined || key === "event" || key === "*");
}
