import type { Scope } from "../expressions/evaluate.ts";
import type { Context } from "../job/contexts.ts";
import type { JobDeath } from "../job/job-death.ts";
import type { RunningJob } from "../job/running-job.ts";
import type { StepLog } from "../logs/step-log.ts";
import type { StepStop } from "./step-stop.ts";

/** One stage of a step while it runs: what its handler works with. */
export type RunningStep = {
  readonly running: RunningJob;
  readonly id: string;
  readonly log: StepLog;
  /** The `env` context as this step sees it; what the step sets for the others shows here too. */
  readonly env: { [name: string]: string };
  readonly github: Context;
  /** For all templates of the step but `if`. */
  readonly scope: Scope;
  /** Distinguishes the files of this step, the same in every life of the job. */
  readonly token: string;
  readonly stop: StepStop;
  /** What earlier stages of the same action saved, by the name they gave. */
  readonly state: ReadonlyMap<string, string>;
  setOutput(name: string, value: string): void;
  saveState(name: string, value: string): void;
  summary(markdown: string): void;
  /** Notes what this stage failed of, where that was no fault of its own. */
  blame(death: JobDeath | undefined): void;
};

/** A stage of an action, with its inputs: those given, then the defaults of the others, under the names they were written with. */
export type RunningAction = RunningStep & { readonly inputs: { readonly [name: string]: string } };
