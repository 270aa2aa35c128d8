import type { EngineCapability } from "./capability.ts";
import type { Need } from "./need.ts";

/**
 * The engine of a host that a job is given to: the first that can be used and has what the job needs; `undefined` when none has. The same need gets the
 * same engine again after a restart.
 */
export function chooseEngine<Engine extends EngineCapability>(
  need: Pick<Need, "rootless" | "dind" | "dindMode" | "cpus" | "memoryBytes">,
  engines: readonly Engine[],
): Engine | undefined {
  const isLimited = need.cpus !== undefined || need.memoryBytes !== undefined;
  const { dindMode = "rootless" } = need;
  return engines.find(
    ({ usable, rootless, enforcesLimits, dind }) =>
      usable &&
      (rootless || !need.rootless) &&
      (enforcesLimits || !isLimited) &&
      (!need.dind || typeof dind?.[dindMode] !== "string"),
  );
}
