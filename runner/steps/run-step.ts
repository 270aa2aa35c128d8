import type { Conclusion, StepDescription, UsesStep } from "../job/job-description.ts";
import { displayName } from "./display-name.ts";
import { type BegunStage, beginStage, runStage } from "./run-stage.ts";
import type { Stage, StepScope } from "./step-scope.ts";

/** Runs the main stage of one of the job's steps and keeps what it leaves. Thrown is only what ends the job. */
export async function runStep(step: StepDescription, scope: StepScope): Promise<void> {
  const begun = await beginStage(step, "main", scope);
  const stepName = await displayName(step, begun.scope);
  if (step.kind === "uses") scope.instances.of(step).name ??= stepName;
  const result = await report(begun, { stepName, condition: step.if });
  scope.records.end(step.id, result);
}

/** Runs a pre or post stage as a step of its own. It has no outcome that others could see; that it failed, the job remembers. */
export async function runSideStage(
  step: UsesStep,
  stage: Exclude<Stage, "main">,
  condition: string,
  scope: StepScope,
): Promise<void> {
  const begun = await beginStage(step, stage, scope);
  const instance = scope.instances.of(step);
  instance.name ??= await displayName(step, begun.scope);
  const stepName = `${stage === "pre" ? "Pre" : "Post"} ${instance.name}`;
  await report(begun, { stepName, condition });
}

async function report(
  begun: BegunStage,
  { stepName, condition }: { stepName: string; condition: string },
): Promise<{ outcome: Conclusion; conclusion: Conclusion }> {
  const { running } = begun;
  const step = running.report.startStep(stepName);
  const { log, summary } = step;
  try {
    const result = await runStage(begun, { stepName, condition, log, summary });
    if (result.conclusion === "failure") running.state.fail(result.death);
    step.finished(result.outcome, result.conclusion);
    return result;
  } catch (error) {
    throw await running.end(error, step);
  }
}
