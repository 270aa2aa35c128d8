import { localShell } from "./machine-shell.ts";
import { mountControlGroups as planControlGroups } from "./setup/control-group-step.ts";
import { scriptStep } from "./setup/script-step.ts";
import type { SetupStep } from "./setup-step.ts";

/** Mounts them on this machine, as root, as `berth host setup` does it on any. */
export function mountControlGroups(): SetupStep {
  return scriptStep(planControlGroups({ sudo: "root" }), { shell: localShell(process.env) });
}
