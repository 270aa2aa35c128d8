import type { JobResult } from "../../runner/job/execute-job.ts";
import type { Workflow } from "../../runner/workflow/workflow.ts";
import type { JobRecord, RunRecord } from "../store/records.ts";
import type { Store } from "../store/store.ts";

/**
 * A run in which one job runs again, and those that need it: what the button beside its check asks for; or all jobs, where none is
 * given. `undefined` while another re-run of that run goes on.
 */
export async function rerunRecord(
  run: RunRecord,
  job: JobRecord | undefined,
  store: Pick<Store, "runs">,
): Promise<RunRecord | undefined> {
  const base = `${run.githubRunId}-${run.attempt}`;
  for (let number = 2; ; number += 1) {
    const id = `${base}-${number}`;
    const earlier = await store.runs.get(id);
    if (earlier !== undefined && earlier.state !== "ended" && earlier.state !== "left")
      return undefined;
    if (earlier !== undefined) continue;
    const { cancelled, releasedAtMs, conclusion, reason, rerunOf, ...rest } = run;
    const asked = job?.jobKey === undefined ? { jobs: [] } : { jobs: [job.jobKey], leg: job.name };
    return {
      ...rest,
      id,
      // One that was left is looked at anew: the policy, or the configuration, may be another now.
      state: run.state === "left" ? "new" : "adopted",
      rerunOf: { runId: run.id, ...asked },
      createdAtMs: Date.now(),
    };
  }
}

/** Of the runs and re-runs of each attempt on GitHub the last one. */
export function latestRuns(ids: readonly string[]): string[] {
  const again = (id: string) => Number(id.split("-")[2] ?? 1);
  const attempts = Map.groupBy(ids, (id) => id.split("-").slice(0, 2).join("-"));
  return [...attempts.values()].flatMap((runs) =>
    runs.toSorted((a, b) => again(b) - again(a)).slice(0, 1),
  );
}

/** The keys of the jobs that a re-run repeats: those asked for, and what needs them; all when none is named. */
function repeatedJobs(workflow: Workflow, asked: readonly string[]): ReadonlySet<string> {
  if (asked.length === 0) return new Set(workflow.jobs.map(({ id }) => id));
  const repeated = new Set(asked);
  // In the file's order a job may stand before what it needs, so this looks until nothing is added.
  for (let size = 0; size !== repeated.size; ) {
    size = repeated.size;
    for (const { id, needs } of workflow.jobs) {
      if (needs.some((need) => repeated.has(need))) repeated.add(id);
    }
  }
  return repeated;
}

/** Whether a leg runs again: of the job that was asked for only the one that was named. */
export function isRepeated(
  { job, name }: { readonly job: string; readonly name: string },
  { jobs, leg }: NonNullable<RunRecord["rerunOf"]>,
  workflow: Workflow,
): boolean {
  if (leg !== undefined && jobs.includes(job)) return name === leg;
  return repeatedJobs(workflow, jobs).has(job);
}

/** How a job of this name ended in the run that is repeated, or in the one that that one repeats. */
export async function keptResult(
  name: string,
  rerunOf: NonNullable<RunRecord["rerunOf"]>,
  store: Pick<Store, "runs" | "jobs" | "githubJobs">,
): Promise<JobResult | undefined> {
  const jobs = await store.jobs.ofRun(rerunOf.runId);
  const found = jobs.find((job) => job.name === name && job.state === "completed");
  if (found !== undefined) {
    const { conclusion = "failure", outputs = {} } = found;
    if (conclusion === "neutral") return await takenResult(name, rerunOf, store);
    return { conclusion: conclusion === "action_required" ? "failure" : conclusion, outputs };
  }
  const earlier = await store.runs.get(rerunOf.runId);
  return earlier?.rerunOf === undefined
    ? undefined
    : await keptResult(name, earlier.rerunOf, store);
}

/** How a job ended that somebody else's runner took. */
async function takenResult(
  name: string,
  { runId }: NonNullable<RunRecord["rerunOf"]>,
  { githubJobs }: Pick<Store, "githubJobs">,
): Promise<JobResult> {
  const [githubRunId = 0, attempt = 1] = runId.split("-").map(Number);
  const jobs = await githubJobs.ofRun(githubRunId, attempt);
  const conclusion = jobs.find((job) => job.name === name)?.conclusion;
  return { conclusion: conclusion === "success" ? "success" : "failure", outputs: {} };
}
