import { textOf } from "../../runner/errors.ts";
import type { Lease } from "../scheduler/scheduler.ts";
import type { JobKeeper } from "./job-keeper.ts";
import type { AdmittedJob, RunJobDeps } from "./run-job.ts";

/** The lease of a job, once it is its turn; `undefined` when it was cancelled before. Meanwhile it is told why it waits. */
export async function waitForPlace(
  job: AdmittedJob,
  keeper: JobKeeper,
  { place, report, log }: Pick<RunJobDeps, "place" | "report" | "log">,
  signal: AbortSignal,
): Promise<Lease | undefined> {
  const { record } = keeper;
  const request = {
    jobId: record.id,
    need: job.need,
    repository: job.repository,
    priority: job.priority,
    readyAtMs: record.createdAtMs,
  };
  let isTold = false;
  const onWait = (reason: string) => {
    report.waiting(reason);
    keeper.tell({ reason });
    if (isTold) return;
    // Once: in a long line the reason changes each second, and the next life tells it anew.
    isTold = true;
    keeper.change({}, `Waits: ${reason}`).catch((error: unknown) => {
      log.warn({ job: record.id, error: textOf(error) }, "not kept why a job waits");
    });
  };
  try {
    return await place(request, { onWait, signal });
  } catch (error) {
    if (signal.aborted) return undefined;
    throw error;
  }
}
