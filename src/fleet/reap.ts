import { textOf } from "../../runner/errors.ts";
import type { Log } from "../log.ts";
import type { Store } from "../store/store.ts";
import { executionId, executionJobId } from "./execution-id.ts";
import type { HostPlaces } from "./host-places.ts";

/**
 * Compares what engines hold with the store: what is left of a job that has ended, or of a try before the present one, goes. A job
 * that runs keeps what it has.
 *
 * @param isBusy Whether a job is in the hands of this process: what is between two states of it is left alone.
 * @returns Ids of the executions whose remains were removed.
 */
export async function reapRemains(
  hosts: readonly HostPlaces[],
  { store, isBusy, log }: { store: Pick<Store, "jobs">; isBusy(jobId: string): boolean; log: Log },
): Promise<string[]> {
  const removed: string[] = [];
  for (const host of hosts) {
    for (const id of await remainsOf(host, log)) {
      const jobId = executionJobId(id);
      const job = await store.jobs.get(jobId);
      const isCurrent = job !== undefined && job.state !== "completed" && executionId(job) === id;
      if (isCurrent || isBusy(jobId)) continue;
      log.warn({ host: host.name, job: id }, "remains of a job that has ended are removed");
      await host.removeJob(id);
      removed.push(id);
    }
  }
  return removed;
}

/** Gives back the leases of jobs that have ended: their service died in between. To be done before a scheduler reads them. */
export async function reapLeases({
  store,
  log,
}: {
  store: Pick<Store, "jobs" | "leases">;
  log: Log;
}): Promise<void> {
  for (const { jobId, lost } of await store.leases.all()) {
    if (lost !== undefined) continue; // something of it may still run
    const job = await store.jobs.get(jobId);
    if (job !== undefined && job.state !== "completed") continue;
    log.warn({ job: jobId }, "lease of a job that has ended is given back");
    await store.leases.remove(jobId);
  }
}

/** An engine that does not answer is asked the next time. */
async function remainsOf(host: HostPlaces, log: Log): Promise<readonly string[]> {
  try {
    return await host.jobsWithRemains();
  } catch (error) {
    log.warn({ host: host.name, error: textOf(error) }, "host not compared with the store");
    return [];
  }
}
