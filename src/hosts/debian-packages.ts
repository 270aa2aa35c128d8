import { existsSync, readFileSync } from "node:fs";
import { localShell } from "./machine-shell.ts";
import {
  isOwnPolicy,
  POLICY_FILE,
  installPackages as planPackages,
  type WantedPackage,
} from "./setup/install-packages.ts";
import { scriptStep } from "./setup/script-step.ts";
import type { SetupStep } from "./setup-step.ts";

/**
 * Installs Debian packages on this machine, as root, as `berth host setup` does it on any: without what they only recommend, and without starting
 * the services they bring.
 */
export function installPackages(why: string, packages: readonly WantedPackage[]): SetupStep {
  const facts = {
    packageManager: "apt",
    sudo: "root",
    init: existsSync("/run/systemd/system") ? "systemd" : "none",
    hasServicePolicy: existsSync(POLICY_FILE) && !isOwnPolicy(readFileSync(POLICY_FILE, "utf8")),
  } as const;
  const step = planPackages(facts, { part: "docker", why, packages });
  return scriptStep(step, { shell: localShell(process.env) });
}
