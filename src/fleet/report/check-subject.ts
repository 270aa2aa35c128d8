import type { JobUsage } from "../../../runner/job/job-event.ts";
import type { CheckRunState } from "../../github/installation.ts";
import type { JobView } from "./job-view.ts";

/** All that a check run tells of. Exactly one of waiting, running and ended: `ending` wins over `waiting`. */
export type CheckSubject = {
  readonly view: JobView;
  /** Why the job waits, in a sentence; empty where that is not known yet. Absent of one that runs. */
  readonly waiting?: string | undefined;
  /** Why a job that runs cannot be heard now, in a sentence. */
  readonly interruption?: string | undefined;
  readonly ending?: JobEnding | undefined;
  /** Steps as the workflow has them. */
  readonly stepCount?: number | undefined;
  /** What the job asked for with `runs-on`. */
  readonly labels: readonly string[];
  readonly profile?: string | undefined;
  readonly startedAtMs?: number | undefined;
};

/** How somebody gets into a job's container after its end. */
export type KeptText = {
  /** `kept until 13:20 UTC for a look` */
  readonly phrase: string;
  readonly sentences: string;
  readonly commands: readonly string[];
};

/** How a job ended, as whoever owns its life has it. */
export type JobEnding = {
  readonly conclusion: NonNullable<CheckRunState["conclusion"]>;
  /** A sentence, where there is more to say than the conclusion. */
  readonly reason?: string | undefined;
  /** What somebody can do now; of a death there is something to say without it. */
  readonly remedy?: string | undefined;
  /** A `JobDeath`: neither its steps nor a person ended it; as the job told it when left out. */
  readonly death?: string | undefined;
  /** As the job told them when left out. */
  readonly outputs?: { readonly [name: string]: string } | undefined;
  readonly usage?: JobUsage | undefined;
  /** Its container is kept for a look. */
  readonly kept?: KeptText | undefined;
  /** Milliseconds since 1970. */
  readonly atMs: number;
};
