import type { JobResult } from "../../runner/job/execute-job.ts";
import type { Capability } from "../profiles/capability.ts";
import type { Scheduler } from "../scheduler/scheduler.ts";
import type { LeaseRecord } from "../store/records.ts";
import type { RunJobDeps } from "./run-job.ts";
import type { HostWatch } from "./watch-hosts.ts";

const PATIENCE_MS = 15_000;

/** Has the host of a lease looked at, and says which of its GPUs are not there any more; nothing of a host that does not answer. */
export async function lookForGpus(
  lease: LeaseRecord,
  {
    hostWatch,
    scheduler,
    signal,
  }: {
    readonly hostWatch: Pick<HostWatch, "answers">;
    readonly scheduler: Pick<Scheduler, "hosts">;
    readonly signal: AbortSignal;
  },
): Promise<string[]> {
  const until = AbortSignal.any([signal, AbortSignal.timeout(PATIENCE_MS)]);
  try {
    await hostWatch.answers(lease.host, { onProblem() {}, signal: until });
  } catch {
    return []; // it is closed, and its GPUs are not known
  }
  const host = scheduler.hosts().find(({ name }) => name === lease.host);
  return host?.capability === undefined ? [] : goneGpus(lease, host.capability);
}

/** GPUs and slices of a lease that its host has no more, or cannot use: UUIDs with why, as far as that is known. */
export function goneGpus({ gpus }: Pick<LeaseRecord, "gpus">, capability: Capability): string[] {
  const known = new Map(
    capability.gpus.flatMap((gpu) => [gpu, ...gpu.mig].map(({ uuid }) => [uuid, gpu] as const)),
  );
  return gpus.flatMap((uuid) => {
    const gpu = known.get(uuid);
    if (gpu === undefined) return [uuid];
    return gpu.usable ? [] : [`${uuid} (${gpu.reason ?? "cannot be used"})`];
  });
}

/** A job whose GPU has failed does not fail for its steps' sake. */
export async function withGoneGpus(
  result: JobResult,
  lease: LeaseRecord,
  { goneGpus, log }: Pick<RunJobDeps, "goneGpus" | "log">,
): Promise<JobResult> {
  if (result.conclusion !== "failure" || result.death !== undefined) return result;
  if (lease.gpus.length === 0 || goneGpus === undefined) return result;
  const gone = await goneGpus(lease);
  if (gone.length === 0) return result;
  log.warn({ host: lease.host, job: lease.jobId, gone }, "GPUs of a job are gone");
  const reason = `${lease.host} has lost what was leased to the job: ${gone.join(", ")}.`;
  return { ...result, death: "gpu-lost", reason };
}
