import type { Json, Template } from "../expressions/template.ts";

/**
 * One job, ready to be run: everything the planner knows, as plain JSON that can be stored. Modelled on
 * GitHub's job message, so that a job may come from a workflow file or from GitHub's runner protocol.
 */
export type JobDescription = {
  /** Unique among all jobs ever run here; the value of the label `io.berth.job`. */
  readonly id: string;
  /** The run this job belongs to; the value of the label `io.berth.run`. */
  readonly runId: string;
  /** The key in the workflow; `caller/callee` for reusable workflows. */
  readonly job: string;
  /** The name as GitHub prints it, matrix suffix included. */
  readonly name: string;
  readonly labels: readonly string[];
  /** Static contexts. `github.token` is not here but in `secrets.GITHUB_TOKEN`. */
  readonly contexts: {
    readonly github: { readonly [name: string]: Json };
    readonly needs: Json;
    readonly strategy: Json;
    readonly matrix: Json;
    readonly inputs: Json;
    readonly vars: Json;
  };
  readonly secrets: { readonly [name: string]: string };
  /** `env` of the workflow, then of the job: mappings, evaluated in "Set up job". */
  readonly env: readonly Template[];
  /** `defaults.run`, the job's value replacing the workflow's key by key. */
  readonly defaults: { readonly shell?: Template; readonly workingDirectory?: Template };
  readonly container?: Template;
  readonly services?: Template;
  readonly steps: readonly StepDescription[];
  readonly outputs?: Template;
  readonly environment?: Template;
  /** Minutes from the start of the first step until the job is cancelled. */
  readonly timeoutMinutes: number;
  /** Recorded and shown: scope to level. */
  readonly permissions?: { readonly [scope: string]: string };
  /** The workflow file relative to the repository's root; an annotation without a file belongs to it. */
  readonly workflowFile: string;
};

export type StepDescription = RunStep | UsesStep;

type StepBase = {
  /** The step's `id`, or the name GitHub generates (`__run`, `__run_2`, …), hidden from `steps`. */
  readonly id: string;
  readonly name?: Template;
  /** Expression text with the implicit `success() && (…)` already applied. */
  readonly if: string;
  readonly env?: Template;
  readonly continueOnError?: Template;
  readonly timeoutMinutes?: Template;
  /** Where the step stands in the workflow file, for errors. */
  readonly at?: { readonly file: string; readonly line: number; readonly column: number };
};
export type RunStep = StepBase & {
  readonly kind: "run";
  readonly run: Template;
  /** Of a workflow's step a text; composite actions may have expressions here. */
  readonly shell?: Template;
  readonly workingDirectory?: Template;
};
export type UsesStep = StepBase & {
  readonly kind: "uses";
  readonly uses: string;
  readonly with?: Template;
};

export type Conclusion = "success" | "failure" | "cancelled" | "skipped";
