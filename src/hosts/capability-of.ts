import { BerthError } from "../../runner/errors.ts";
import type { Capability } from "../profiles/capability.ts";
import type { HostFacts } from "./host-facts.ts";

/**
 * What jobs of a machine can have. Only the engine that they are given to counts, whatever others there are.
 *
 * @throws {BerthError} `HOST_UNUSABLE` when that engine cannot be used.
 */
export function capabilityOf(facts: HostFacts, name: string): Capability {
  const engines = facts.engines.filter(({ isDefault }) => isDefault);
  const broken = engines.find(({ usable }) => !usable);
  if (broken !== undefined) {
    throw new BerthError("HOST_UNUSABLE", {
      message: `The host ${name} cannot run jobs: ${broken.reason ?? "its engine cannot be used."}`,
      remedy: broken.remedy,
    });
  }
  return { ...facts, name, engines };
}
