import type { Workflow, WorkflowJob } from "../../runner/workflow/workflow.ts";
import { jobExpressions, workflowExpressions } from "./used-expressions.ts";

/** Something that a workflow asks for and Berth does not have; `line` and `column` count from 1. */
export type Lack = {
  readonly name: string;
  readonly file: string;
  readonly line: number;
  readonly column: number;
};

/**
 * Secrets that jobs use by name and Berth does not hold, each once, where it is used first. Names are in capitals, as GitHub shows them.
 *
 * @param held Names in any case.
 */
export function missingSecrets(
  workflow: Workflow,
  held: ReadonlySet<string>,
  jobs: readonly WorkflowJob[] = workflow.jobs,
): Lack[] {
  const known = new Set(["GITHUB_TOKEN", ...[...held].map((name) => name.toUpperCase())]);
  const lacks: Lack[] = [];
  for (const { paths, at } of [...workflowExpressions(workflow), ...jobs.flatMap(jobExpressions)]) {
    for (const [context, key] of paths) {
      const name = key?.toUpperCase();
      if (context !== "secrets" || name === undefined || name === "*" || known.has(name)) continue;
      known.add(name);
      lacks.push({ name, ...at });
    }
  }
  return lacks;
}

/** Jobs that ask for identity tokens (`id-token: write`), which only GitHub can issue. */
export function oidcUsers(
  workflow: Workflow,
  jobs: readonly WorkflowJob[] = workflow.jobs,
): Lack[] {
  return jobs
    .filter((job) => (job.permissions ?? workflow.permissions)?.["id-token"] === "write")
    .map(({ id, at }) => ({ name: id, ...at }));
}
