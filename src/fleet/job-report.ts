import { textOf } from "../../runner/errors.ts";
import type { JobEvent } from "../../runner/job/job-event.ts";
import type { Installation } from "../github/installation.ts";
import type { Log } from "../log.ts";
import { executionId } from "./execution-id.ts";
import type { JobKeeper } from "./job-keeper.ts";
import { keptText } from "./kept-text.ts";
import { type CheckReporter, startCheckReporter } from "./report/check-reporter.ts";
import type { SendOutcome } from "./report/update-loop.ts";
import type { JobReport } from "./run-leg.ts";

export type JobReportOptions = {
  readonly installation: Installation;
  readonly workflowFile: string;
  readonly stepCount?: number;
  /** What was told of an execution in earlier lives. */
  toldOf(execution: string): AsyncIterable<JobEvent>;
  runningJobs(): number;
  readonly log: Log;
  readonly signal: AbortSignal;
};

/** Keeps the checks of one job in step with its record and its events: each of its tries has one, of which GitHub shows the newest. */
export function startJobReport(keeper: JobKeeper, options: JobReportOptions): JobReport {
  const { retries } = keeper.record;
  // The life that began a new try may have died before it had ended the check of the one before.
  const closings = Array.from({ length: retries }, (_, retry) => closeTry(keeper, retry, options));
  let reporter = startTry(keeper, closings, options);
  let told: Promise<void> | undefined;
  const notKept = (error: unknown) => {
    // The next life tells it again.
    const facts = { job: keeper.record.id, error: textOf(error) };
    options.log.warn(facts, "not kept that GitHub knows of a job's end");
  };

  return {
    waiting: (reason) => reporter.waiting(reason),
    interrupted: (why) => reporter.interrupted(why),
    hear: (event) => reporter.hear(event),
    recall: (told: AsyncIterable<JobEvent>) => reporter.recall(told),
    restart() {
      closings.push(endTry(reporter, keeper.record.reason));
      reporter = startTry(keeper, closings, options);
    },
    async close() {
      await reporter[Symbol.asyncDispose]();
    },
    finished() {
      told = tellEnd(keeper, reporter, closings).catch(notKept);
    },
    retell() {
      // Before the end is told it has all that there is anyway.
      told = told?.then(() => tellAgain(keeper, options)).catch(notKept);
    },
  };
}

function startTry(
  keeper: JobKeeper,
  closings: readonly Promise<SendOutcome>[],
  options: JobReportOptions,
): CheckReporter {
  const { installation } = options;
  const job = { ...keeper.record, id: executionId(keeper.record) };
  const closed = Promise.all(closings);
  return startCheckReporter({
    ...options,
    installation: {
      ...installation,
      // Or else the check of an earlier try would be the newest.
      createCheckRun: async (...check) => {
        await closed;
        return await installation.createCheckRun(...check);
      },
    },
    job,
    // The id of an earlier try's check must not come over that of the present one.
    onCreated: async (checkRunId) => {
      if (executionId(keeper.record) === job.id) await keeper.change({ checkRunId });
    },
  });
}

/** Ends the check of a try before the present one: found by its name and id, or made. */
async function closeTry(
  keeper: JobKeeper,
  retries: number,
  options: JobReportOptions,
): Promise<SendOutcome> {
  const { checkRunId: _, ...record } = keeper.record;
  const id = executionId({ ...record, retries });
  const reporter = startCheckReporter({
    ...options,
    job: { ...record, id, state: "running" },
    onCreated: async () => {},
  });
  await reporter.recall(options.toldOf(id)).catch((error: unknown) => {
    options.log.warn({ job: id, error: textOf(error) }, "log not read");
  });
  return await endTry(reporter);
}

async function endTry(
  reporter: CheckReporter,
  reason = "Its host failed it.",
): Promise<SendOutcome> {
  await using ending = reporter;
  return await ending.finished({
    conclusion: "neutral",
    reason: `${reason} The job is run again.`,
  });
}

/** The end once more, with what came to be known since. */
async function tellAgain(keeper: JobKeeper, options: JobReportOptions): Promise<void> {
  const reporter = startTry(keeper, [], options);
  await reporter.recall(options.toldOf(executionId(keeper.record)));
  await tellEnd(keeper, reporter, []);
}

async function tellEnd(
  keeper: JobKeeper,
  reporter: CheckReporter,
  closings: readonly Promise<SendOutcome>[],
): Promise<void> {
  const { conclusion = "failure", reason, outputs, usage, death } = keeper.record;
  const { kept, completedAtMs } = keeper.record;
  await using _reporter = reporter;
  const outcome = await reporter.finished({
    conclusion,
    reason,
    outputs,
    usage,
    death,
    ...(kept && { kept: keptText(keeper.record.id, kept) }),
    ...(completedAtMs !== undefined && { atMs: completedAtMs }),
  });
  const outcomes = [outcome, ...(await Promise.all(closings))];
  if (!outcomes.includes("stopped")) await keeper.change({ isReported: true });
}
