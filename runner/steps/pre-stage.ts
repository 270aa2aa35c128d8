import type { UsesStep } from "../job/job-description.ts";
import type { RunningJob } from "../job/running-job.ts";
import { findAction, type LoadedAction, referenceOf } from "./load-action.ts";
import { mayBeReplaced } from "./own-checkout.ts";
import { ownRepository } from "./step-scope.ts";

/**
 * The condition of a step's pre stage, undefined when it has none: actions of the workspace never have one, since nobody can
 * read them before the steps run.
 */
export function preConditionOf(step: UsesStep, running: RunningJob): string | undefined {
  const reference = referenceOf(step.uses, running);
  // It has no pre stage, and nobody may have fetched it.
  const isReplaced = mayBeReplaced(running, ownRepository(running.job));
  if (reference.kind !== "repository" || isReplaced(step)) return undefined;
  const action = findAction(reference, running);
  if (!hasPreStage(action, running)) return undefined;
  const { runs } = action.manifest;
  return runs.using === "composite" ? "always()" : runs.preIf;
}

/** Whether an action has something to do before the job's steps: a composite one, if an action in it has. */
export function hasPreStage({ manifest: { runs } }: LoadedAction, running: RunningJob): boolean {
  if (runs.using === "node") return runs.pre !== undefined;
  if (runs.using === "docker") return runs.preEntrypoint !== undefined;
  return runs.steps.some(
    (step) => step.kind === "uses" && preConditionOf(step, running) !== undefined,
  );
}
