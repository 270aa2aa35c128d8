import { printReference } from "../actions/parse-reference.ts";
import type { StepDescription } from "../job/job-description.ts";
import type { RunningJob } from "../job/running-job.ts";
import { findAction, referenceOf } from "./load-action.ts";
import { mayBeReplaced } from "./own-checkout.ts";
import { type ImageSource, imageSourceOf } from "./provide-image.ts";
import { ownRepository } from "./step-scope.ts";

/** The images that docker actions need, each once, with the name of the step that provides it; but for those of the workspace. */
export function imagesOf(
  steps: readonly StepDescription[],
  running: RunningJob,
): { readonly title: string; readonly source: ImageSource }[] {
  const found = new Map<string, { readonly title: string; readonly source: ImageSource }>();
  const mayBeOwn = mayBeReplaced(running, ownRepository(running.job));
  for (const step of steps) {
    if (step.kind !== "uses" || mayBeOwn(step)) continue;
    const reference = referenceOf(step.uses, running);
    if (reference.kind === "local") continue;
    const action = findAction(reference, running);
    const { runs } = action.manifest;
    if (runs.using === "composite") {
      for (const image of imagesOf(runs.steps, running)) addOnce(image);
    }
    if (runs.using !== "docker") continue;
    const source = imageSourceOf(action, runs);
    const built = reference.kind === "repository" ? printReference(reference) : action.title;
    addOnce({ title: "pull" in source ? `Pull ${source.pull}` : `Build ${built}`, source });
  }
  return [...found.values()];

  function addOnce(image: { readonly title: string; readonly source: ImageSource }): void {
    if (!found.has(image.source.key)) found.set(image.source.key, image);
  }
}
