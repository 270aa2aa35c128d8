import { dirname } from "node:path/posix";
import { eventFile } from "../job/contexts.ts";
import type { JobPlace } from "../job/execute-job.ts";
import { inputVariables, stateVariables } from "./action-inputs.ts";
import type { RunningAction } from "./running-step.ts";
import { stepEnvironment } from "./step-environment.ts";

/**
 * All variables of a docker action's container beside its image's: as those of any step, with the paths of the container. `defaults` are for
 * what the step does not have. The image's PATH stays as it is, whatever steps added to theirs (`ContainerActionHandler.cs`).
 *
 * @throws {BerthError} `INPUT_INVALID` naming the variable when a process could not be given it.
 */
export function dockerEnvironment(
  defaults: { readonly [name: string]: string },
  { running, env, github, state, inputs }: RunningAction,
): { [name: string]: string } {
  const { place, runner, trackingId } = running;
  const { action_path: _, ...visible } = github;
  const { RUNNER_TRACKING_ID: __, ...variables } = stepEnvironment({
    env: { ...defaults, ...env },
    variables: { ...stateVariables(state), ...inputVariables(inputs) },
    addedPath: [],
    github: visible,
    runner,
    facts: { ...place.shell.facts, env: {} },
    home: undefined,
    trackingId,
  });
  const toContainer = pathTranslator(place);
  const translated = Object.entries({ ...variables, HOME: "/github/home" }).flatMap(
    ([name, value]) => (value === null ? [] : [[name, toContainer(value)] as const]),
  );
  return Object.fromEntries(translated);
}

/** Rewrites a value that is, or lies below, a path of the job which the container has elsewhere. */
function pathTranslator(place: JobPlace): (value: string) => string {
  return translator(mountedPaths(place));
}

/** Rewrites a path that a docker action's container speaks of as the job has it. */
export function pathInJob(place: JobPlace): (path: string) => string {
  return translator(mountedPaths(place).map(([path, inContainer]) => [inContainer, path]));
}

/** Where the container has what of the job. */
function mountedPaths(place: JobPlace): (readonly [path: string, inContainer: string])[] {
  const { workspace, temp, home } = place.paths;
  return [
    [`${temp}/_runner_file_commands`, "/github/file_commands"],
    [dirname(eventFile(place)), "/github/workflow"],
    [workspace, "/github/workspace"],
    [temp, "/github/runner_temp"],
    ...(home === undefined ? [] : [[home, "/github/home"] as const]),
  ];
}

/** The most specific path counts. */
function translator(paths: readonly (readonly [from: string, to: string])[]) {
  const sorted = paths.toSorted(([a], [b]) => b.length - a.length);
  return (value: string): string => {
    const found = sorted.find(([path]) => value === path || value.startsWith(`${path}/`));
    return found === undefined ? value : found[1] + value.slice(found[0].length);
  };
}
