import { BerthError } from "../../../runner/errors.ts";
import type { PodEngine } from "./pod-host.ts";

export type EngineChoice = {
  readonly engine: PodEngine;
  /** Why it is no rootless one. */
  readonly fallbackReason: string | null;
};

export type ChooseEngineOptions = {
  readonly host: string;
  /** Who named the host's engine, where somebody did. */
  readonly namedBy?: string | undefined;
  /** Whether an engine that runs as root may do. */
  readonly allowsSudo: boolean;
  /** Memory or CPUs are to be limited. */
  readonly needsLimits: boolean;
};

/**
 * The engines to try for a pod, in this order: rootless first, and that of the system where there is no rootless one that would do.
 *
 * @throws {BerthError} `ENGINE_NOT_FOUND` when none is usable, or only one that may not be used.
 */
export function chooseEngines(
  engines: readonly PodEngine[],
  options: ChooseEngineOptions,
): readonly EngineChoice[] {
  const { host, namedBy, allowsSudo, needsLimits } = options;
  const rootless = engines.filter((engine) => engine.rootless && engine.usable);
  const system = allowsSudo ? engines.filter((engine) => !engine.rootless && engine.usable) : [];
  const limiting = rootless.filter((engine) => engine.enforcesLimits || !needsLimits);
  // One that takes limits and does not hold them is better than none: the answer warns of it.
  const first = limiting.length > 0 || system.length > 0 ? limiting : rootless;
  const choices = [
    ...first.map((engine) => ({ engine, fallbackReason: null })),
    ...system.map((engine) => ({ engine, fallbackReason: whyNotRootless() })),
  ];
  if (choices.length === 0) throw noEngine(engines, options);
  return choices;

  function whyNotRootless(): string {
    if (namedBy !== undefined) return `${namedBy} names an engine that runs as root.`;
    if (rootless.length > 0) {
      return `The rootless engine of ${host} cannot enforce limits of memory and CPUs.`;
    }
    const broken = engines.find((engine) => engine.rootless);
    if (broken === undefined) return `${host} has no rootless engine.`;
    return `The rootless engine of ${host} is not usable: ${broken.reason ?? "it does not answer"}`;
  }
}

function noEngine(
  engines: readonly PodEngine[],
  { host, allowsSudo }: ChooseEngineOptions,
): BerthError {
  const system = engines.find((engine) => !engine.rootless && engine.usable);
  if (system !== undefined && !allowsSudo) {
    return new BerthError("ENGINE_NOT_FOUND", {
      message: `${host} has no usable rootless engine, and --no-sudo keeps off ${system.endpoint}, which runs as root.`,
      remedy: `Run \`berth host setup ${host} --rootless\`, or leave --no-sudo out.`,
    });
  }
  const why = engines.map(({ endpoint, reason }) => `\n  ${endpoint}: ${reason ?? "not usable"}`);
  return new BerthError("ENGINE_NOT_FOUND", {
    message: `${host} has no container engine that can be used.${why.join("")}`,
    remedy: `Run \`berth host setup ${host}\`, or start its engine.`,
  });
}
