import { BerthError } from "../errors.ts";
import type { RunningAction } from "./running-step.ts";

/** One stage of a docker action, ready to run. */
export type DockerAction = {
  /** For the step's header, what stands after `Run `. */
  readonly title: string;
  /** A name the engine has. */
  readonly image: string;
  /** One word; the image's own when left out. */
  readonly entrypoint?: string;
  readonly args: readonly string[];
  /** `runs.env`, evaluated: defaults for what the step's environment lacks. */
  readonly env: { readonly [name: string]: string };
};

/** Runs a docker action's container to its end. True when it succeeded; what went wrong is in the step's log. */
export async function runDockerAction(
  action: DockerAction,
  _self: RunningAction,
): Promise<boolean> {
  throw new BerthError("NOT_SUPPORTED_YET", {
    message: `This version cannot run docker actions yet: ${action.title}.`,
  });
}
