import { textOf } from "../../runner/errors.ts";
import type { JobEvent } from "../../runner/job/job-event.ts";
import type { Installation } from "../github/installation.ts";
import type { Log } from "../log.ts";
import type { JobKeeper } from "./job-keeper.ts";
import { type CheckReporter, startCheckReporter } from "./report/check-reporter.ts";
import { executionId } from "./run-job.ts";
import type { JobReport } from "./run-leg.ts";

export type JobReportOptions = {
  readonly installation: Installation;
  readonly workflowFile: string;
  readonly stepCount?: number;
  runningJobs(): number;
  readonly log: Log;
  readonly signal: AbortSignal;
};

/** Keeps the check of one job in step with its record and its events, through all its tries. */
export function startJobReport(keeper: JobKeeper, options: JobReportOptions): JobReport {
  let reporter = startTry(keeper, options);

  return {
    waiting: (reason) => reporter.waiting(reason),
    hear: (event) => reporter.hear(event),
    recall: (told: AsyncIterable<JobEvent>) => reporter.recall(told),
    restart() {
      const { reason = "Its host failed it." } = keeper.record;
      const before = reporter;
      // A try that failed keeps its own check; GitHub shows the newest of a name.
      void before
        .finished({ conclusion: "neutral", reason: `${reason} The job is run again.` })
        .then(() => before[Symbol.asyncDispose]());
      reporter = startTry(keeper, options);
    },
    finished() {
      void tellEnd(keeper, reporter).catch((error: unknown) => {
        // The next life tells it again.
        const facts = { job: keeper.record.id, error: textOf(error) };
        options.log.warn(facts, "not kept that GitHub knows of a job's end");
      });
    },
  };
}

function startTry(keeper: JobKeeper, options: JobReportOptions): CheckReporter {
  const job = { ...keeper.record, id: executionId(keeper.record) };
  return startCheckReporter({
    ...options,
    job,
    // The id of an earlier try's check must not come over that of the present one.
    onCreated: async (checkRunId) => {
      if (executionId(keeper.record) === job.id) await keeper.change({ checkRunId });
    },
  });
}

async function tellEnd(keeper: JobKeeper, reporter: CheckReporter): Promise<void> {
  const { conclusion = "failure", reason, outputs, usage, death, completedAtMs } = keeper.record;
  await using _reporter = reporter;
  const outcome = await reporter.finished({
    conclusion,
    reason,
    outputs,
    usage,
    death,
    ...(completedAtMs !== undefined && { atMs: completedAtMs }),
  });
  if (outcome !== "stopped") await keeper.change({ isReported: true });
}
