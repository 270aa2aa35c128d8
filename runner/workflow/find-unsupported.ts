import { BerthError } from "../errors.ts";
import type { Position } from "../expressions/template.ts";
import type { Workflow, WorkflowJob } from "./workflow.ts";

/** Something valid that Berth cannot run yet. */
export type Unsupported = { readonly at: Position; readonly message: string };

/** What of a workflow the jobs given need that Berth cannot do yet; empty when all can run. */
export function findUnsupported(
  workflow: Workflow,
  jobs: readonly WorkflowJob[] = workflow.jobs,
): Unsupported[] {
  return jobs.flatMap(({ id, call }) =>
    call
      ? [
          {
            at: call.at,
            message: `Job '${id}' calls the workflow ${call.uses}; reusable workflows are not supported yet.`,
          },
        ]
      : [],
  );
}

/** What a command throws before anything starts when `findUnsupported` found something. */
export function notSupportedYet(found: readonly Unsupported[]): BerthError {
  const lines = found.map(({ at, message }) => `${at.file}:${at.line}:${at.column}: ${message}`);
  return new BerthError("NOT_SUPPORTED_YET", { message: lines.join("\n") });
}
