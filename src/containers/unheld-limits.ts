import type Docker from "dockerode";
import { z } from "zod";
import type { ContainerWish } from "./container-request.ts";
import { engineError } from "./engine-error.ts";

/** The engine's `GET /info`: which limits it can hold a container to. */
const Info = z.object({
  CgroupDriver: z.string().nullish(),
  MemoryLimit: z.boolean().nullish(),
  CpuCfsQuota: z.boolean().nullish(),
  PidsLimit: z.boolean().nullish(),
});

/**
 * What to tell of limits that an engine takes and does not hold a container to, as a rootless one without control groups of version 2: it says nothing itself. An
 * engine is only asked where there is a limit.
 *
 * @throws {BerthError} `ENGINE_LOST`, `ENGINE_REFUSED`
 */
export async function unheldLimits(docker: Docker, wish: ContainerWish): Promise<string[]> {
  const { Memory, NanoCpus, CpuQuota, PidsLimit } = wish.options.host;
  const limits = { memory: Memory, cpus: NanoCpus ?? CpuQuota, processes: PidsLimit };
  if (!Object.values(limits).some(isLimit)) return [];

  const info = Info.parse(await docker.info().catch(refused));
  const isHeld = (can: boolean | null | undefined) => Boolean(can) && info.CgroupDriver !== "none";
  const unheld = [
    ...(isLimit(limits.memory) && !isHeld(info.MemoryLimit) ? ["memory"] : []),
    ...(isLimit(limits.cpus) && !isHeld(info.CpuCfsQuota) ? ["CPUs"] : []),
    ...(isLimit(limits.processes) && !isHeld(info.PidsLimit) ? ["processes"] : []),
  ];
  if (unheld.length === 0) return [];
  return [
    `##[warning]This engine cannot hold a container to its limit of ${unheld.join(", ")}: it has no control groups for that. A rootless one needs those of version 2, delegated to its user.`,
  ];
}

/** Zero and -1 are none. */
function isLimit(value: number | undefined): boolean {
  return value !== undefined && value > 0;
}

function refused(cause: unknown): never {
  throw engineError(cause, "ask which limits it can hold containers to");
}
