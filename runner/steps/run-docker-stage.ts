import type { ActionRuns } from "../actions/action-manifest.ts";
import { evaluateTemplate, type Scope, toText } from "../expressions/evaluate.ts";
import type { LoadedAction } from "./load-action.ts";
import { imageSourceOf, provideImage } from "./provide-image.ts";
import { runDockerAction } from "./run-docker-action.ts";
import type { RunningAction } from "./running-step.ts";
import { splitArguments } from "./split-arguments.ts";
import type { Stage } from "./step-scope.ts";

type DockerRuns = ActionRuns & { using: "docker" };

/** Runs a stage of a docker action in a container of its own, made of the same image each time. */
export async function runDockerStage(
  action: LoadedAction,
  { runs, stage }: { readonly runs: DockerRuns; readonly stage: Stage },
  self: RunningAction,
): Promise<boolean> {
  const { running, log, stop } = self;
  const image = await provideImage(imageSourceOf(action, runs), running, { log, stop });
  const scope: Scope = { contexts: { inputs: self.inputs } };
  const entrypoint = entrypointOf(runs, stage, self.inputs);
  return await runDockerAction(
    {
      title: action.title,
      image,
      ...(entrypoint ? { entrypoint } : {}),
      args: await argumentsOf(runs, scope, self.inputs),
      env: await evaluateEnv(runs, scope),
    },
    self,
  );
}

function entrypointOf(
  runs: DockerRuns,
  stage: Stage,
  inputs: RunningAction["inputs"],
): string | undefined {
  switch (stage) {
    case "pre":
      return runs.preEntrypoint;
    case "post":
      return runs.postEntrypoint;
    case "main":
      return runs.entrypoint || inputNamed(inputs, "entrypoint");
    default:
      return stage satisfies never;
  }
}

/** Each of `runs.args` is one word; without them `with.args` is split as a command line. */
async function argumentsOf(
  runs: DockerRuns,
  scope: Scope,
  inputs: RunningAction["inputs"],
): Promise<string[]> {
  if (runs.args === undefined) return splitArguments(inputNamed(inputs, "args") ?? "");
  const words: string[] = [];
  for (const template of runs.args) words.push(toText(await evaluateTemplate(template, scope)));
  return words;
}

async function evaluateEnv(runs: DockerRuns, scope: Scope): Promise<{ [name: string]: string }> {
  const env: { [name: string]: string } = {};
  for (const [name, template] of Object.entries(runs.env)) {
    env[name] = toText(await evaluateTemplate(template, scope));
  }
  return env;
}

function inputNamed(inputs: RunningAction["inputs"], name: string): string | undefined {
  return Object.entries(inputs).find(([key]) => key.toLowerCase() === name)?.[1];
}
