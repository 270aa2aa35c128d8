import { BerthError } from "../errors.ts";
import type { Workflow, WorkflowJob } from "./workflow.ts";

/**
 * The named jobs and all they need, in the file's order; without names all jobs.
 *
 * @throws {BerthError} `USAGE` when a name is no job's.
 */
export function selectJobs(workflow: Workflow, only: readonly string[] = []): WorkflowJob[] {
  if (only.length === 0) return [...workflow.jobs];
  const byId = new Map(workflow.jobs.map((job) => [job.id.toLowerCase(), job]));
  const wanted = new Set<WorkflowJob>();
  const add = (id: string): void => {
    const job = byId.get(id.toLowerCase());
    if (!job) {
      throw new BerthError("USAGE", {
        message: `There is no job '${id}' in ${workflow.file}.`,
        remedy: `Its jobs: ${workflow.jobs.map((job) => job.id).join(", ")}.`,
      });
    }
    if (wanted.has(job)) return;
    wanted.add(job);
    for (const need of job.needs) add(need);
  };
  for (const id of only) add(id);
  return workflow.jobs.filter((job) => wanted.has(job));
}

/** By job id the ids of all jobs it needs, directly or not. */
export function ancestorsOf(
  jobs: readonly WorkflowJob[],
): ReadonlyMap<string, ReadonlySet<string>> {
  const byId = new Map(jobs.map((job) => [job.id, job]));
  const found = new Map<string, ReadonlySet<string>>();
  const visit = (job: WorkflowJob): ReadonlySet<string> => {
    const known = found.get(job.id);
    if (known) return known;
    const needed = job.needs.flatMap((id) => {
      const need = byId.get(id);
      return need ? [id, ...visit(need)] : [id];
    });
    const ancestors = new Set(needed);
    found.set(job.id, ancestors);
    return ancestors;
  };
  for (const job of jobs) visit(job);
  return found;
}
