import { evaluateCondition } from "../expressions/evaluate.ts";
import { deathOf, type JobDeath } from "../job/job-death.ts";
import type { Conclusion } from "../job/job-description.ts";
import { isEndOfJob, messageOf } from "../job/job-end.ts";
import type { RunningJob } from "../job/running-job.ts";
import type { StepLog } from "../logs/step-log.ts";
import { jobScope } from "./step-scope.ts";
import { StepStop } from "./step-stop.ts";

/**
 * Runs work of the runner's own that shows as a step: images, services. A cancellation of the job stops it unless its condition
 * holds all the same.
 */
export async function runJobStage(
  { stepName, condition }: { readonly stepName: string; readonly condition: string },
  running: RunningJob,
  work: (self: { readonly log: StepLog; readonly stop: StepStop }) => Promise<void>,
): Promise<void> {
  const step = running.report.startStep(stepName);
  const { log } = step;
  const { status } = jobScope(running);
  const holds = () => evaluateCondition(condition, { contexts: {}, status: status(false) });

  let death: JobDeath | undefined;

  async function run(): Promise<Conclusion> {
    if (!(await holds())) return "skipped";
    const stop = new StepStop();
    using _listening = running.cancellation.onCancel(() => stop.haltUnless(holds()));
    try {
      await work({ log, stop });
    } catch (error) {
      if (isEndOfJob(error)) throw error;
      if (stop.reason === undefined) {
        log.annotate({ level: "error", message: messageOf(error) });
        death = deathOf(error);
        return "failure";
      }
    }
    await stop.decided();
    if (stop.reason === undefined) return "success";
    log.annotate({ level: "error", message: "The operation was canceled." });
    return "cancelled";
  }

  try {
    const conclusion = await run();
    if (conclusion === "failure") running.state.fail(death);
    step.finished(conclusion, conclusion);
  } catch (error) {
    throw await running.end(error, step);
  }
}
