import { BerthError } from "../errors.ts";
import type { Json } from "../expressions/template.ts";
import type { ShellFacts } from "../shell/shell.ts";

export type ProcessVariables = { readonly [name: string]: string | null | undefined };

/** What the environment of one process is made of. */
export type EnvironmentSources = {
  /** The `env` context as this step sees it. */
  readonly env: { readonly [name: string]: string };
  /**
   * State and inputs of an action: over the `env` context, below what no author can override. `null` removes one that the container
   * has, `undefined` leaves one out that `env` has.
   */
  readonly variables?: ProcessVariables;
  /** Directories that steps added to PATH, the newest first. */
  readonly addedPath: readonly string[];
  readonly github: { readonly [name: string]: Json };
  readonly runner: { readonly [name: string]: Json };
  readonly facts: ShellFacts;
  /** Where HOME has to be, in a job with `container:`. */
  readonly home: string | undefined;
  readonly trackingId: string;
};

/**
 * All variables of a step's process on top of the container's own, later groups winning: the `env` context, PATH with
 * its additions, `GITHUB_*` and `RUNNER_*` (which no author can override), then CI and GITHUB_ACTIONS.
 *
 * @throws {BerthError} `INPUT_INVALID` naming the variable when a process could not be given it.
 */
export function stepEnvironment(sources: EnvironmentSources): { [name: string]: string | null } {
  const { env, addedPath, github, runner, facts, home, trackingId } = sources;
  const own = sources.variables ?? {};
  for (const [name, value] of Object.entries({ ...env, ...own })) checkVariable(name, value ?? "");

  const variables: { [name: string]: string | null | undefined } = {};
  if (home !== undefined) variables.HOME = home;
  variables.RUNNER_TRACKING_ID = trackingId;
  Object.assign(variables, env, own);
  if (addedPath.length > 0) {
    variables.PATH = [...addedPath, env.PATH ?? facts.path].filter(Boolean).join(":");
  }
  for (const name of EXPORTED_FROM_GITHUB) {
    const value = github[name];
    if (value === undefined || value === null) {
      if (EMPTY_WHEN_MISSING.has(name)) variables[`GITHUB_${name.toUpperCase()}`] = "";
    } else if (typeof value !== "object") {
      variables[`GITHUB_${name.toUpperCase()}`] = String(value);
    }
  }
  for (const [name, value] of Object.entries(runner)) {
    if (value !== null) variables[`RUNNER_${name.toUpperCase()}`] = String(value);
  }
  variables.GITHUB_ACTIONS = "true";
  if (env.CI === undefined && facts.env.CI === undefined) variables.CI = "true";

  return Object.fromEntries(
    Object.entries(variables).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, value]],
    ),
  );
}

/** The members of the `github` context that GitHub documents as variables. */
const EXPORTED_FROM_GITHUB = [
  "action",
  "action_path",
  "action_ref",
  "action_repository",
  "actor",
  "actor_id",
  "api_url",
  "base_ref",
  "env",
  "event_name",
  "event_path",
  "graphql_url",
  "head_ref",
  "job",
  "output",
  "path",
  "ref",
  "ref_name",
  "ref_protected",
  "ref_type",
  "repository",
  "repository_id",
  "repository_owner",
  "repository_owner_id",
  "retention_days",
  "run_attempt",
  "run_id",
  "run_number",
  "server_url",
  "sha",
  "state",
  "step_summary",
  "triggering_actor",
  "workflow",
  "workflow_ref",
  "workflow_sha",
  "workspace",
];

const EMPTY_WHEN_MISSING = new Set(["action_ref", "action_repository", "base_ref", "head_ref"]);

function checkVariable(name: string, value: string): void {
  if (name !== "" && !/[=\0]/.test(name) && !value.includes("\0")) return;
  const shown = JSON.stringify(name);
  throw new BerthError("INPUT_INVALID", {
    message: value.includes("\0")
      ? `The value of the environment variable ${shown} contains a NUL character, which no process can be given.`
      : `${shown} cannot be the name of an environment variable.`,
    remedy:
      "Look for it in `env:` and in what steps wrote to GITHUB_ENV; pass binary data in a file.",
  });
}
