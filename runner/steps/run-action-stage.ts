import { compositeTooDeep, MAX_COMPOSITE_DEPTH } from "../actions/prepare-actions.ts";
import { pinsOf, readPins } from "../job/job-actions.ts";
import type { UsesStep } from "../job/job-description.ts";
import { onceOutside } from "../job/once-outside.ts";
import { actionHeader, readGivenInputs, readInputs } from "./action-inputs.ts";
import { checkOutWorkingTree, isOwnCheckout } from "./check-out-working-tree.ts";
import { type LoadedAction, loadAction, referenceOf } from "./load-action.ts";
import { mayBeReplaced } from "./own-checkout.ts";
import { hasPreStage } from "./pre-stage.ts";
import { runComposite } from "./run-composite.ts";
import { runDockerStage } from "./run-docker-stage.ts";
import { runJavaScript } from "./run-javascript.ts";
import type { BegunStage, StageEnd } from "./run-stage.ts";
import type { RunningAction, RunningStep } from "./running-step.ts";
import { type ActionInstance, ownRepository, type Stage, type StepScope } from "./step-scope.ts";

/** Runs one stage of what a step uses. What went wrong is in the step's log, or thrown with words for it. */
export async function runActionStage(
  step: UsesStep,
  stage: Stage,
  self: BegunStage & RunningStep,
  scope: StepScope,
): Promise<StageEnd> {
  const { running, log } = self;
  const reference = referenceOf(step.uses, running);
  if (stage === "main" && reference.kind === "repository") {
    const given = await readGivenInputs(step.with, self.scope);
    if (isOwnCheckout(reference, given, running)) {
      log.write(actionHeader(step.uses, { inputs: given, env: self.env }));
      return await checkOutWorkingTree(given, { ...self, inputs: given });
    }
  }

  const instance = scope.instances.of(step);
  if (stage !== "post") instance.loaded = await loadAction(reference, self);
  const action = instance.loaded;
  if (action === undefined) return true;
  if (stage === "main") await prepareMain(action, self, scope);
  if (stage !== "post" && hasPost(action)) scope.instances.registerPost(instance);

  const named = asAction(action, self);
  const inputs = await readInputs(step.with, action, named);
  if (stage === "post") log.write("Post job cleanup.");
  else log.write(actionHeader(action.title, { inputs, env: self.env }));
  return await dispatch(action, stage, { ...named, inputs }, { scope, instance });
}

function dispatch(
  action: LoadedAction,
  stage: Stage,
  self: BegunStage & RunningAction,
  { scope, instance }: { scope: StepScope; instance: ActionInstance },
): Promise<StageEnd> {
  const { runs } = action.manifest;
  switch (runs.using) {
    case "node":
      return runJavaScript(action, { runs, stage }, self);
    case "docker":
      return runDockerStage(action, { runs, stage }, self);
    case "composite":
      return runComposite(action, { runs, stage }, { self, scope, instance });
    default:
      return runs satisfies never;
  }
}

/** What has to be done before an action's main stage: most for those of the workspace, which nobody could look at before. */
async function prepareMain(
  action: LoadedAction,
  self: RunningStep,
  { within }: StepScope,
): Promise<void> {
  const { reference, manifest } = action;
  const { runs } = manifest;
  if (runs.using === "composite" && within.length > MAX_COMPOSITE_DEPTH) {
    throw compositeTooDeep([...within, action.title]);
  }
  if (reference.kind !== "local") return;
  if (runs.using === "composite") await fetchNested(runs.steps, within.length + 1, self);
  if (hasPreStage(action, self.running)) {
    const message = `\`pre\` execution is not supported for local action from '${reference.path}'`;
    self.log.annotate({ level: "warning", message });
  }
}

/** Fetches what the steps of a composite action of the workspace name, once: a later life of the job gets the same commits. */
async function fetchNested(
  steps: Parameters<RunningStep["running"]["actions"]["prepare"]>[0],
  depth: number,
  { running, log, stop }: RunningStep,
): Promise<void> {
  if (!steps.some((step) => step.kind === "uses" && !/^(?:\.[\\/]|docker:)/.test(step.uses)))
    return;
  const signal = AbortSignal.any([stop.signal, running.cancellation.tornDown]);
  const containing = ownRepository(running.job);
  const asked = { containing, depth, signal, isOptional: mayBeReplaced(running, containing) };
  let isFetched = false;
  const pins = await onceOutside(
    running,
    async () => {
      const options = { ...asked, log: log.write };
      const repositories = await running.actions.prepare(steps, options);
      await running.place.addActions?.(repositories, signal);
      isFetched = true;
      return pinsOf(repositories);
    },
    stop,
  );
  if (isFetched) return;
  const pinned = readPins(pins);
  await running.actions.prepare(steps, { ...asked, pinned, log() {} });
}

/** A composite action has a post stage if its steps have, which only those that run can tell. */
function hasPost({ manifest: { runs } }: LoadedAction): boolean {
  if (runs.using === "composite") return true;
  return (runs.using === "node" ? runs.post : runs.postEntrypoint) !== undefined;
}

/** The step as its action sees it: `github.action_repository` and `action_ref` name the action from now on. */
function asAction<Self extends RunningStep>({ reference }: LoadedAction, self: Self): Self {
  const isRemote = reference.kind === "repository";
  const github = {
    ...self.github,
    action_repository: isRemote ? `${reference.owner}/${reference.repo}` : "",
    action_ref: isRemote ? reference.ref : "",
  };
  const contexts = { ...self.scope.contexts, github: () => github };
  return { ...self, github, scope: { ...self.scope, contexts } };
}
