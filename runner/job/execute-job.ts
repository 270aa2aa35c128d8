import type { Journal, Shell } from "../shell/shell.ts";
import type { JobPlaceRequest } from "./container-spec.ts";
import type { Conclusion, JobDescription } from "./job-description.ts";
import type { JobEvent } from "./job-event.ts";

/** Where a job's steps run, with its shell. Disposing of it removes all of it. */
export type JobPlace = AsyncDisposable & {
  readonly shell: Shell;
  readonly host: string;
  readonly image: string;
  /** Paths as the steps see them. */
  readonly paths: {
    readonly workspace: string;
    readonly temp: string;
    readonly toolCache: string;
    readonly actions: string;
    readonly home?: string;
  };
  readonly containerId?: string;
  readonly networkId?: string;
};

/** What running a job needs from outside. */
export type ExecuteJobDeps = {
  /** Makes the container (or folder) and opens its shell; `progress` lines go to the log of "Set up job". */
  openPlace(
    request: JobPlaceRequest,
    options: { journal: Journal | undefined; progress(line: string): void; signal: AbortSignal },
  ): Promise<JobPlace>;
  report(event: JobEvent): void;
  /** Checkpoints of an earlier life of this job; events that it reported are not reported again. */
  journal?: Journal;
};

export type JobResult = {
  readonly conclusion: Conclusion;
  readonly outputs: { readonly [name: string]: string };
  readonly reason?: string;
};

/** Runs one job from "Set up job" to "Complete job". `signal` cancels it as a user would. */
export async function executeJob(
  _job: JobDescription,
  _deps: ExecuteJobDeps,
  _signal: AbortSignal,
): Promise<JobResult> {
  throw new Error("replaced by the executor");
}
