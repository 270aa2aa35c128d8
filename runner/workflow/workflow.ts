import type { Position, Template } from "../expressions/template.ts";
import type { StepDescription } from "../job/job-description.ts";

/** A workflow file, valid and with every scalar in the type its place wants; expressions are not evaluated yet. */
export type Workflow = {
  /** Relative to the repository's root. */
  readonly file: string;
  readonly name?: string;
  readonly runName?: Template;
  /** What starts this workflow: event name to its filters. */
  readonly on: { readonly [event: string]: Trigger };
  readonly dispatchInputs: readonly DispatchInput[];
  readonly env?: Template;
  readonly defaults: Defaults;
  readonly permissions?: Permissions;
  readonly concurrency?: Template;
  /** In the file's order. */
  readonly jobs: readonly WorkflowJob[];
};

export type Trigger = {
  readonly types?: readonly string[];
  readonly branches?: readonly string[];
  readonly "branches-ignore"?: readonly string[];
  readonly tags?: readonly string[];
  readonly "tags-ignore"?: readonly string[];
  readonly paths?: readonly string[];
  readonly "paths-ignore"?: readonly string[];
  /** Of `workflow_run`: names of workflows. */
  readonly workflows?: readonly string[];
  /** Of `schedule`. */
  readonly crons?: readonly string[];
};

export type DispatchInput = {
  readonly name: string;
  readonly type: "string" | "boolean" | "number" | "choice" | "environment";
  readonly required: boolean;
  readonly default?: string | boolean | number;
  readonly options: readonly string[];
};

export type Defaults = { readonly shell?: Template; readonly workingDirectory?: Template };

/** Scope to level, as written or as a shorthand stands for; an empty one grants nothing. */
export type Permissions = { readonly [scope: string]: string };

export type WorkflowJob = {
  readonly id: string;
  readonly at: Position;
  readonly name?: Template;
  /** `name` as written, expressions included: what a skipped job is called. */
  readonly nameText?: string;
  /** Ids as their jobs spell them. */
  readonly needs: readonly string[];
  /** With the implicit `success() && (…)` applied. */
  readonly if: string;
  readonly ifAt?: Position;
  readonly strategy?: Template;
  readonly runsOn?: Template;
  readonly timeoutMinutes?: Template;
  readonly continueOnError?: Template;
  readonly container?: Template;
  readonly services?: Template;
  readonly env?: Template;
  readonly environment?: Template;
  readonly permissions?: Permissions;
  readonly concurrency?: Template;
  readonly outputs?: Template;
  readonly defaults: Defaults;
  readonly steps: readonly StepDescription[];
  /** Present when the job calls another workflow instead of having steps. */
  readonly call?: WorkflowCall;
};

export type WorkflowCall = {
  readonly uses: string;
  readonly at: Position;
  readonly with?: Template;
  readonly secrets?: Template | "inherit";
};
