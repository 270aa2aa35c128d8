import type { RepositoryReference } from "../actions/action-reference.ts";
import { parseActionReference } from "../actions/parse-reference.ts";
import type { Template } from "../expressions/template.ts";
import type { StepDescription, UsesStep } from "../job/job-description.ts";
import type { RunningJob } from "../job/running-job.ts";
import { readGivenInputs } from "./action-inputs.ts";
import { isCheckout, isOwnCheckout } from "./check-out-working-tree.ts";

type Job = Pick<RunningJob, "workingTree" | "github">;

/** Whether the working tree may stand in for what a step uses: only its inputs tell, when it runs. */
export function mayBeReplaced(
  { workingTree }: Pick<Job, "workingTree">,
  containing: RepositoryReference | undefined,
): (step: UsesStep) => boolean {
  return ({ uses }) =>
    workingTree !== undefined && isCheckout(parseActionReference(uses, containing));
}

/** The steps without those that the working tree surely stands in for: their `with` has no expressions. */
export async function withoutOwnCheckouts(
  steps: readonly StepDescription[],
  job: Job,
  containing: RepositoryReference | undefined,
): Promise<StepDescription[]> {
  const kept: StepDescription[] = [];
  for (const step of steps) {
    const isCandidate = step.kind === "uses" && mayBeReplaced(job, containing)(step);
    if (!isCandidate || hasExpression(step.with ?? null)) {
      kept.push(step);
      continue;
    }
    const inputs = await readGivenInputs(step.with, { contexts: {} });
    if (!isOwnCheckout(parseActionReference(step.uses, containing), inputs, job)) kept.push(step);
  }
  return kept;
}

function hasExpression(template: Template): boolean {
  if (template === null || typeof template !== "object") return false;
  if ("expr" in template) return true;
  if ("seq" in template) return template.seq.some(hasExpression);
  return template.map.some(
    ([key, value]) =>
      hasExpression(value) || (typeof key === "object" && key !== null && "expr" in key),
  );
}
