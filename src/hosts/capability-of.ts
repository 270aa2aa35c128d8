import { BerthError } from "../../runner/errors.ts";
import type { Capability } from "../profiles/capability.ts";
import type { HostFacts } from "./host-facts.ts";

/**
 * What jobs of a machine can have: its default engine, and where that is not rootless the rootless one beside it.
 *
 * @param options `onlyDefault`: somebody named the engine, and means no other.
 * @throws {BerthError} `HOST_UNUSABLE` when the default engine cannot be used.
 */
export function capabilityOf(
  facts: HostFacts,
  name: string,
  { onlyDefault = false }: { readonly onlyDefault?: boolean } = {},
): Capability {
  const byDefault = facts.engines.filter(({ isDefault }) => isDefault);
  const broken = byDefault.find(({ usable }) => !usable);
  if (broken !== undefined) {
    throw new BerthError("HOST_UNUSABLE", {
      message: `The host ${name} cannot run jobs: ${broken.reason ?? "its engine cannot be used."}`,
      remedy: broken.remedy,
    });
  }
  const hasRootless = byDefault.some(({ rootless }) => rootless);
  const beside = facts.engines.filter(
    ({ usable, rootless, isDefault, kind }) =>
      usable && rootless && !isDefault && kind === "docker",
  );
  const others = onlyDefault || hasRootless ? [] : beside.slice(0, 1);
  return { ...facts, name, engines: [...byDefault, ...others] };
}
