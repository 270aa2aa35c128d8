import type { Masker } from "../logs/mask.ts";
import { createStepLog, type StepLog } from "../logs/step-log.ts";
import { isDebugging } from "./contexts.ts";
import type { JobResult } from "./execute-job.ts";
import type { Conclusion, JobDescription } from "./job-description.ts";
import type { JobEvent } from "./job-event.ts";

/** Tells the world how one job goes. */
export type JobReport = {
  /** Says where the job runs; what was told before waits for it. The second call and later ones do nothing. */
  started(where: { readonly host: string; readonly image: string }): void;
  startStep(stepName: string): StepReport;
  /** The log of the step that was started last. */
  currentLog(): StepLog | undefined;
  /** Says how the job ended, and gives it back. */
  finished(result: JobResult): JobResult;
};

/** Tells how one step goes; steps count from 1, set-up and clean-up among them. */
export type StepReport = {
  readonly log: StepLog;
  summary(markdown: string): void;
  finished(outcome: Conclusion, conclusion: Conclusion): void;
};

/**
 * @param options `isReplaying` is asked at each event: what an earlier life of the job has told is not told again.
 * `startedAt` is in milliseconds since 1970.
 */
export function createJobReport(options: {
  readonly job: JobDescription;
  readonly masker: Masker;
  readonly startedAt: number;
  report(event: JobEvent): void;
  isReplaying(): boolean;
}): JobReport {
  const { masker, startedAt, isReplaying } = options;
  const { job, name } = options.job;
  let held: JobEvent[] | undefined = [];
  const debug = isDebugging(options.job);
  let current: StepLog | undefined;
  let steps = 0;

  function tell(event: JobEvent): void {
    if (isReplaying()) return;
    if (held) held.push(event);
    else options.report(event);
  }

  function started(where: { readonly host: string; readonly image: string }): void {
    if (!held) return;
    const waiting = held;
    held = undefined;
    tell({ type: "job_started", job, name, ...where });
    for (const event of waiting) options.report(event);
  }

  return {
    started: ({ host, image }) => started({ host, image }),

    startStep(unmaskedName) {
      steps += 1;
      const step = steps;
      const stepName = masker.mask(unmaskedName);
      const begunAt = Date.now();
      tell({ type: "step_started", job, name, step, stepName });

      const log = createStepLog({
        masker,
        debug,
        sink: {
          lines(lines) {
            if (isReplaying()) return;
            for (const line of lines) tell({ type: "log", job, name, step, line });
          },
          annotation(annotation) {
            tell({ type: "annotation", job, name, step, ...annotation });
          },
        },
      });
      current = log;

      return {
        log,
        summary(markdown) {
          tell({ type: "step_summary", job, name, step, markdown });
        },
        finished(outcome, conclusion) {
          const ms = Date.now() - begunAt;
          tell({ type: "step_finished", job, name, step, stepName, outcome, conclusion, ms });
        },
      };
    },

    currentLog: () => current,

    finished(result) {
      started({ host: "", image: "" });
      const ms = Date.now() - startedAt;
      tell({ type: "job_finished", job, name, ms, ...result, outputs: { ...result.outputs } });
      return result;
    },
  };
}
