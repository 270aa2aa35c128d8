import { BerthError } from "../../runner/errors.ts";
import type { Capability } from "../profiles/capability.ts";
import type { EngineFacts, HostFacts } from "./host-facts.ts";

/**
 * What jobs of a machine can have: its default engine, and where that is not rootless the rootless one beside it.
 *
 * @param options `onlyDefault`: somebody named the engine, and means no other.
 * @throws {BerthError} `HOST_UNUSABLE` when there is no default engine, or it cannot be used.
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
  if (byDefault.length === 0) throw noEngine(name, facts);
  const hasRootless = byDefault.some(({ rootless }) => rootless);
  const beside = facts.engines.filter(
    ({ usable, rootless, isDefault, kind }) =>
      usable && rootless && !isDefault && kind === "docker",
  );
  const others = onlyDefault || hasRootless ? [] : beside.slice(0, 1);
  const engines = [...byDefault, ...others].map((engine) => ({
    ...asProved(engine),
    gpusBy: waysToGpus(engine, facts),
  }));
  return { ...facts, name, engines, machineId: machineOf(facts) };
}

function noEngine(name: string, { engines, programs }: HostFacts): BerthError {
  const others = engines.map(({ endpoint }) => endpoint).join(", ");
  const installed =
    "dockerd" in programs ? "Docker is installed there, and does not run" : undefined;
  const why =
    others === ""
      ? (installed ?? "no container engine was found there")
      : `it has only ${others}, which is not of the kind that \`engine:\` asks for`;
  return new BerthError("HOST_UNUSABLE", {
    message: `The host ${name} cannot run jobs: ${why}.`,
    remedy:
      others === ""
        ? `\`berth host setup ${name}\` says how to get one there.`
        : `Change \`engine:\` of ${name}, or set one up: \`berth host setup ${name}\`.`,
  });
}

/** What was tried counts more than what the engine says of itself. */
function asProved(engine: EngineFacts): EngineFacts {
  const { limits = true, dind } = engine.proved ?? {};
  const enforcesLimits = engine.enforcesLimits && limits === true;
  return { ...engine, enforcesLimits, ...(dind !== undefined && { dind }) };
}

/** NVIDIA's runtime where it is; as an ordinary user it needs a setting that CDI does without. */
function waysToGpus(
  { runtimes, cdi, rootless }: EngineFacts,
  { programs, deviceInterfaces }: HostFacts,
): "runtime" | "cdi" {
  const hooks = ["nvidia-container-runtime-hook", "nvidia-container-runtime"];
  const hasRuntime = runtimes.includes("nvidia") || hooks.some((hook) => hook in programs);
  return cdi && deviceInterfaces.length > 0 && (rootless || !hasRuntime) ? "cdi" : "runtime";
}

/** Clones of a disk share one id, and containers of a machine the other: only both together tell machines apart. */
function machineOf({ machineId, bootId }: HostFacts): string | null {
  return machineId === null ? null : [machineId, bootId].filter(Boolean).join("/");
}
