import { BerthError } from "../errors.ts";
import type { Json } from "../expressions/template.ts";
import { resolveStrategy } from "./describe-job.ts";
import { ancestorsOf, selectJobs } from "./select-jobs.ts";
import type { Workflow, WorkflowJob } from "./workflow.ts";

/** A job as `--list` shows it. */
export type ListedJob = {
  readonly id: string;
  readonly name: string;
  readonly needs: readonly string[];
  /** 0 for jobs that need nothing, else one more than the latest job needed. */
  readonly stage: number;
  /** Matrix values, `{}` for a job without matrix; empty when they depend on what other jobs will put out or cannot be. */
  readonly legs: readonly Json[];
};

/** What a run would do, without running anything. */
export async function listPlan(
  workflow: Workflow,
  contexts: { readonly github: Json; readonly vars: Json; readonly inputs: Json },
  only: readonly string[] = [],
): Promise<ListedJob[]> {
  const jobs = selectJobs(workflow, only);
  const ancestors = ancestorsOf(jobs);
  const stages = new Map<string, number>();
  const byDepth = jobs.toSorted((a, b) => sizeOf(a) - sizeOf(b));
  function sizeOf(job: WorkflowJob): number {
    return ancestors.get(job.id)?.size ?? 0;
  }
  for (const job of byDepth) {
    stages.set(job.id, Math.max(-1, ...job.needs.map((need) => stages.get(need) ?? 0)) + 1);
  }
  const listed = await Promise.all(
    jobs.map(async (job) => ({
      id: job.id,
      name: job.nameText ?? job.id,
      needs: job.needs,
      stage: stages.get(job.id) ?? 0,
      legs: await staticLegs(job, contexts),
    })),
  );
  return listed.toSorted((a, b) => a.stage - b.stage);
}

async function staticLegs(
  job: WorkflowJob,
  contexts: { readonly github: Json; readonly vars: Json; readonly inputs: Json },
): Promise<Json[]> {
  let needsOutputs = false;
  const needs = () => {
    needsOutputs = true;
    return {};
  };
  try {
    const { legs } = await resolveStrategy(job, { ...contexts, needs });
    return needsOutputs ? [] : legs.map(({ leg }) => leg?.matrix ?? {});
  } catch (error) {
    if (error instanceof BerthError) return []; // it will fail its job when its turn comes
    throw error;
  }
}
