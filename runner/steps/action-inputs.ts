import type { ActionManifest } from "../actions/action-manifest.ts";
import { evaluateTemplate, type Scope, toText } from "../expressions/evaluate.ts";
import type { Template } from "../expressions/template.ts";
import type { Context } from "../job/contexts.ts";
import { currentJobContext } from "../job/running-job.ts";
import type { StepLog } from "../logs/step-log.ts";
import type { LoadedAction } from "./load-action.ts";
import type { RunningAction, RunningStep } from "./running-step.ts";

/** What a docker action takes beside the inputs it declares. */
const DOCKER_INPUTS = ["entryPoint", "args"];

/**
 * The inputs of one stage: those of `with`, then the defaults of the others. Says which are deprecated or unexpected, as
 * GitHub's runner does (`ActionRunner.cs`); none is refused, and a missing one that is required neither.
 *
 * @throws {BerthError} `WORKFLOW_INVALID` when an expression fails.
 */
export async function readInputs(
  given: Template | undefined,
  { manifest, reference }: LoadedAction,
  self: RunningStep,
): Promise<RunningAction["inputs"]> {
  const inputs = await readGivenInputs(given, self.scope);
  const names = Object.keys(inputs);
  const known = new Set(names.map((name) => name.toLowerCase()));
  warnDeprecated(names, manifest, self.log);

  const scope = defaultsScope(self);
  for (const [name, input] of Object.entries(manifest.inputs)) {
    if (known.has(name.toLowerCase())) continue;
    inputs[name] = toText(await evaluateTemplate(input.default ?? null, scope));
  }
  if (reference.kind !== "image") warnUnexpected(names, manifest, self.log);
  return inputs;
}

/** A step's `with`, evaluated. */
export async function readGivenInputs(
  given: Template | undefined,
  scope: Scope,
): Promise<{ [name: string]: string }> {
  const values = await evaluateTemplate(given ?? null, scope);
  if (values === null || typeof values !== "object" || Array.isArray(values)) return {};
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, toText(value)]));
}

/** Variables for the action's process: `INPUT_` and the name in capitals, blanks replaced and all else kept. */
export function inputVariables(inputs: RunningAction["inputs"]): { [name: string]: string } {
  return Object.fromEntries(
    Object.entries(inputs).map(([name, value]) => [
      `INPUT_${name.replaceAll(" ", "_").toUpperCase()}`,
      value,
    ]),
  );
}

/** Variables for the action's process: what its earlier stages saved, under the names they gave. */
export function stateVariables(state: RunningStep["state"]): { [name: string]: string } {
  return Object.fromEntries([...state].map(([name, value]) => [`STATE_${name}`, value]));
}

/** What an action's step prints before anything else. */
export function actionHeader(
  title: string,
  { inputs, env }: { readonly inputs: RunningAction["inputs"]; readonly env: Context },
): string {
  const lines = (values: Context) =>
    Object.entries(values).map(([name, value]) => `  ${name}: ${toText(value)}`);
  const filled = Object.fromEntries(Object.entries(inputs).filter(([, value]) => value !== ""));
  const variables = lines(env);
  return [
    `##[group]Run ${title}`,
    ...(Object.keys(inputs).length > 0 ? ["with:", ...lines(filled)] : []),
    ...(variables.length > 0 ? ["env:", ...variables] : []),
    "##[endgroup]",
  ].join("\n");
}

/** Defaults see neither `env` nor `inputs` nor steps. */
function defaultsScope({ running, github, scope }: RunningStep): Scope {
  const { strategy, matrix } = running.job.contexts;
  return {
    ...scope,
    contexts: {
      github,
      strategy,
      matrix,
      job: () => currentJobContext(running),
      runner: running.runner,
    },
  };
}

function warnDeprecated(names: readonly string[], manifest: ActionManifest, log: StepLog): void {
  for (const name of names) {
    const [, input] =
      Object.entries(manifest.inputs).find(([key]) => key.toLowerCase() === name.toLowerCase()) ??
      [];
    if (input?.deprecationMessage === undefined) continue;
    const message = `Input '${name}' has been deprecated with message: ${input.deprecationMessage}`;
    log.annotate({ level: "warning", message });
  }
}

function warnUnexpected(
  given: readonly string[],
  { inputs: declared, runs }: ActionManifest,
  log: StepLog,
): void {
  const valid = [...(runs.using === "docker" ? DOCKER_INPUTS : []), ...Object.keys(declared)];
  const known = new Set(valid.map((name) => name.toLowerCase()));
  const unexpected = given.filter((name) => !known.has(name.toLowerCase()));
  if (unexpected.length === 0) return;
  const message = `Unexpected input(s) '${unexpected.join("', '")}', valid inputs are ['${valid.join("', '")}']`;
  log.annotate({ level: "warning", message });
}
