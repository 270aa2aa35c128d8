import { installPackages } from "./install-packages.ts";
import type { SetupFacts } from "./setup-facts.ts";
import type { PlanStep } from "./setup-plan.ts";

/** What fetches a repository's key. */
export function downloadTools(facts: SetupFacts, part: "toolkit" | "driver"): PlanStep[] {
  const tools = [
    { name: "curl", program: "curl" },
    ...(facts.packageManager === "apt" ? [{ name: "gnupg", program: "gpg" }] : []),
    { name: "ca-certificates", look: "[ -d /etc/ssl/certs ] || [ -d /etc/pki ]" },
  ];
  const isComplete = tools.every((one) => "look" in one || facts.programs[one.program]);
  const { packageManager } = facts;
  if (isComplete || packageManager === undefined) return [];
  const why = "They fetch NVIDIA's signing key.";
  return [installPackages({ ...facts, packageManager }, { part, why, packages: tools })];
}
