import type { JobEvent } from "../../runner/job/job-event.ts";
import { executionId } from "./execution-id.ts";
import type { PlaceTerms } from "./host-places.ts";
import type { KeepTerms, KeptJobs, LeftJob } from "./kept-jobs.ts";

/** The container of one try of a job, which is left when the job fails. */
export type FailedPlace = {
  readonly keep: PlaceTerms["keep"];
  hear(event: JobEvent): void;
  isLeft(): boolean;
};

/** Has a job's container left that failed of its steps: not when it was cancelled, nor when it died of its host. */
export function leaveFailed(terms: KeepTerms | undefined, cancelled: AbortSignal): FailedPlace {
  let hasFailed = false;
  let isLeft = false;
  const isWanted = () => {
    isLeft = hasFailed && !cancelled.aborted;
    return isLeft;
  };
  return {
    keep: terms && { seconds: Math.ceil(terms.ms / 1000), isWanted },
    hear(event) {
      if (event.type !== "job_finished") return;
      hasFailed = event.conclusion === "failure" && event.death === undefined;
    },
    isLeft: () => isLeft,
  };
}

/** Keeps what was left of a job with what it holds, or removes it. */
export async function keepLeft(
  left: Omit<LeftJob, "terms" | "claims"> & {
    readonly terms: KeepTerms | undefined;
    readonly claims: AsyncDisposableStack;
    /** Its host failed it after all. */
    readonly isDead: boolean;
  },
  jobs: Pick<KeptJobs, "keep"> | undefined,
): Promise<void> {
  const { keeper, host, terms, isDead } = left;
  await using claims = left.claims.move();
  const asked = terms && !isDead ? { ...left, terms, claims: claims.move() } : undefined;
  if (asked !== undefined && (await jobs?.keep(asked))) return;
  await host.removeJob(executionId(keeper.record));
  await asked?.claims.disposeAsync();
}
