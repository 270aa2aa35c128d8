import { BerthError } from "../../runner/errors.ts";
import type { Workflow } from "../../runner/workflow/workflow.ts";
import type { Start } from "./start-event.ts";

/** A workflow to run, and which of its jobs; none named means all. */
export type NarrowedStart = Start & { readonly onlyJobs: readonly string[] };

/**
 * Keeps the workflows that have one of the jobs of `-j`.
 *
 * @throws {BerthError} `USAGE` for a job that no workflow has.
 */
export function narrowToJobs(
  starts: readonly Start[],
  jobs: readonly string[] = [],
): NarrowedStart[] {
  if (jobs.length === 0) return starts.map((start) => ({ ...start, onlyJobs: [] }));
  const unknown = jobs.find((id) => !starts.some(({ workflow }) => hasJob(workflow, id)));
  if (unknown !== undefined) throw noSuchJob(unknown, starts);
  return starts
    .map((start) => ({ ...start, onlyJobs: jobs.filter((id) => hasJob(start.workflow, id)) }))
    .filter(({ onlyJobs }) => onlyJobs.length > 0);
}

function hasJob({ jobs }: Workflow, id: string): boolean {
  return jobs.some((job) => job.id.toLowerCase() === id.toLowerCase());
}

function noSuchJob(id: string, starts: readonly Start[]): BerthError {
  const lines = starts.map(
    ({ workflow }) => `${workflow.file}: ${workflow.jobs.map((job) => job.id).join(", ")}`,
  );
  return new BerthError("USAGE", {
    message: `There is no job '${id}' in what would run.`,
    remedy: lines.length > 0 ? `The jobs there are:\n${lines.join("\n")}` : "Nothing would run.",
  });
}
