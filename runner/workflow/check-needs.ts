import type { Problems } from "./problems.ts";
import type { WorkflowJob } from "./workflow.ts";

/**
 * The same jobs with `needs` spelled as the jobs are. What is wrong with the graph goes to `problems`, in GitHub's words.
 * (`WorkflowTemplateConverter` of GitHub's workflow parser; ids are compared ignoring case.)
 *
 * @param placeOfNeed Where a job's need stands in the file.
 */
export function checkNeeds(
  jobs: readonly WorkflowJob[],
  placeOfNeed: (job: WorkflowJob, need: string) => { line: number; column: number } | undefined,
  problems: Problems,
): WorkflowJob[] {
  const idOf = new Map(jobs.map((job) => [job.id.toLowerCase(), job.id]));
  const [first] = jobs;
  if (first && jobs.every((job) => job.needs.length > 0)) {
    problems.add("The workflow must contain at least one job with no dependencies.", first.at);
  }

  const resolved = jobs.map((job) => {
    const needs = job.needs.flatMap((need) => {
      const id = idOf.get(need.toLowerCase());
      if (id) return [id];
      problems.add(`Job '${job.id}' depends on unknown job '${need}'.`, placeOfNeed(job, need));
      return [];
    });
    return { ...job, needs: [...new Set(needs)] };
  });

  const left = new Set(stuckJobs(resolved));
  for (const job of resolved.filter((job) => left.has(job.id))) {
    for (const need of job.needs.filter((need) => left.has(need))) {
      problems.add(
        `Job '${job.id}' depends on job '${need}' which creates a cycle in the dependency graph.`,
        placeOfNeed(job, need),
      );
    }
  }
  return resolved;
}

/** The jobs that could never start: those on a cycle or behind one. */
function stuckJobs(jobs: readonly WorkflowJob[]): string[] {
  const done = new Set<string>();
  for (;;) {
    const ready = jobs.filter(
      (job) => !done.has(job.id) && job.needs.every((need) => done.has(need)),
    );
    if (ready.length === 0) break;
    for (const job of ready) done.add(job.id);
  }
  return jobs.filter((job) => !done.has(job.id)).map((job) => job.id);
}
