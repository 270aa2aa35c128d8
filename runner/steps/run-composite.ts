import type { ActionRuns } from "../actions/action-manifest.ts";
import { evaluateTemplate, toText } from "../expressions/evaluate.ts";
import type { Conclusion, StepDescription } from "../job/job-description.ts";
import type { LoadedAction } from "./load-action.ts";
import { preConditionOf } from "./pre-stage.ts";
import { type BegunStage, beginStage, runStage, type StageResult } from "./run-stage.ts";
import type { RunningAction } from "./running-step.ts";
import { type ActionInstance, compositeScope, type Stage, type StepScope } from "./step-scope.ts";

type CompositeRuns = ActionRuns & { using: "composite" };
type CompositeStep = {
  readonly self: BegunStage & RunningAction;
  readonly scope: StepScope;
  readonly instance: ActionInstance;
};

/** Runs a stage of a composite action: its steps one after another, in the log of its own step. */
export async function runComposite(
  action: LoadedAction,
  { runs, stage }: { readonly runs: CompositeRuns; readonly stage: Stage },
  { self, scope, instance }: CompositeStep,
): Promise<CompositeEnd> {
  let status: CompositeEnd = "success";
  const inner = compositeScope(scope, self, {
    instance,
    action,
    overrides: { ...scope.overrides, ...self.ownEnv },
    ...(stage === "main" ? { status: () => status } : {}),
  });

  for (const { step, condition } of plannedSteps(runs.steps, stage, inner)) {
    await self.stop.decided();
    // All that follows would be stopped as it starts.
    if (self.stop.reason === "timeout") break;
    if (self.stop.reason === "cancelled") status = "cancelled";
    const github = { ...inner.github, action_status: status };
    const result = await runInner(step, condition, { stage, self, scope: { ...inner, github } });
    if (stage === "main") inner.records.end(step.id, result);
    status = worse(status, result.conclusion);
    if (result.conclusion === "failure") self.blame(result.death);
    if (result.isBroken) break;
  }

  if (stage === "main") await setOutputs(runs.outputs, self, inner);
  return status;
}

/** What a composite action's steps have come to. */
export type CompositeEnd = "success" | "failure" | "cancelled";

type PlannedStep = { readonly step: StepDescription; readonly condition: string };

/** Which steps have to do something in a stage. Posts go backwards through the steps, whenever their actions began. */
function plannedSteps(
  steps: readonly StepDescription[],
  stage: Stage,
  { running, instances }: StepScope,
): PlannedStep[] {
  if (stage === "main") return steps.map((step) => ({ step, condition: step.if }));
  if (stage === "pre") {
    return steps.flatMap((step) => {
      const condition = step.kind === "uses" ? preConditionOf(step, running) : undefined;
      return condition === undefined ? [] : [{ step, condition }];
    });
  }
  const waiting = instances.posts;
  return steps.toReversed().flatMap((step) => {
    const instance = waiting.find((candidate) => candidate.step.id === step.id);
    const runs = instance?.loaded?.manifest.runs;
    if (runs === undefined) return [];
    return [{ step, condition: runs.using === "composite" ? "always()" : runs.postIf }];
  });
}

async function runInner(
  step: StepDescription,
  condition: string,
  { stage, self, scope }: { stage: Stage; self: BegunStage & RunningAction; scope: StepScope },
): Promise<StageResult> {
  const { log, summary, stop } = self;
  const begun = await beginStage(step, stage, scope);
  // Its name shows nowhere: it has no line of its own among the steps.
  return await runStage(begun, { stepName: step.id, condition, log, summary, outerStop: stop });
}

/** Outputs come from the steps however these ended. */
async function setOutputs(
  outputs: CompositeRuns["outputs"],
  self: BegunStage & RunningAction,
  inner: StepScope,
): Promise<void> {
  const contexts = inner.contexts({ env: self.env, github: inner.github });
  for (const [name, template] of Object.entries(outputs)) {
    self.setOutput(name, toText(await evaluateTemplate(template, { contexts })));
  }
}

/** Of two results the worse; a skipped step changes nothing. */
function worse(status: CompositeEnd, conclusion: Conclusion): CompositeEnd {
  if (status === "cancelled" || conclusion === "cancelled") return "cancelled";
  return conclusion === "failure" ? "failure" : status;
}
