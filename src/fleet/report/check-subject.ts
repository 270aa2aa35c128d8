import type { CheckRunState } from "../../github/installation.ts";
import type { JobView } from "./job-view.ts";

/** All that a check run tells of. Exactly one of waiting, running and ended: `ending` wins over `waiting`. */
export type CheckSubject = {
  readonly view: JobView;
  /** Why the job waits, in a sentence; empty where that is not known yet. Absent of one that runs. */
  readonly waiting?: string | undefined;
  readonly ending?: JobEnding | undefined;
  /** Steps as the workflow has them. */
  readonly stepCount?: number | undefined;
  /** What the job asked for with `runs-on`. */
  readonly labels: readonly string[];
  readonly profile?: string | undefined;
  readonly startedAtMs?: number | undefined;
};

/** How a job ended, as whoever owns its life has it. */
export type JobEnding = {
  readonly conclusion: NonNullable<CheckRunState["conclusion"]>;
  /** A sentence, where there is more to say than the conclusion. */
  readonly reason?: string | undefined;
  /** What somebody can do now, such as giving the job more memory. */
  readonly remedy?: string | undefined;
  /** The job's host failed it, not its steps. */
  readonly isHostsFault?: boolean | undefined;
  readonly outputs?: { readonly [name: string]: string } | undefined;
  readonly usage?: { readonly peakMemoryBytes?: number; readonly cpuSeconds?: number } | undefined;
  /** Milliseconds since 1970. */
  readonly atMs: number;
};
