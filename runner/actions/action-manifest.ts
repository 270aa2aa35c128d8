import type { Template } from "../expressions/template.ts";
import type { StepDescription } from "../job/job-description.ts";

/** What an `action.yml` says, as plain JSON; expressions unevaluated. */
export type ActionManifest = {
  readonly name?: string;
  /** In the order and with the names of the file; they are compared without case. */
  readonly inputs: { readonly [name: string]: ActionInput };
  readonly runs: ActionRuns;
};

export type ActionInput = {
  readonly default?: Template;
  readonly required: boolean;
  readonly deprecationMessage?: string;
};

export type ActionRuns =
  | ({
      readonly using: "node";
      /** The runtime it asks for; older ones are raised to `node20`. */
      readonly version: "node20" | "node24";
      /** Relative to the action's folder, as the other two. */
      readonly main: string;
      readonly pre?: string;
      readonly post?: string;
    } & StageConditions)
  | {
      readonly using: "composite";
      readonly steps: readonly StepDescription[];
      readonly outputs: { readonly [name: string]: Template };
    }
  | ({
      readonly using: "docker";
      readonly image: DockerActionImage;
      readonly entrypoint?: string;
      readonly preEntrypoint?: string;
      readonly postEntrypoint?: string;
      readonly args?: readonly Template[];
      readonly env: { readonly [name: string]: Template };
    } & StageConditions);

/** Expression texts; `always()` when the file says nothing. */
type StageConditions = { readonly preIf: string; readonly postIf: string };

export type DockerActionImage =
  | { readonly kind: "registry"; readonly image: string }
  /** Relative to the action's folder; the build's context is the folder of the Dockerfile. */
  | { readonly kind: "dockerfile"; readonly path: string };
