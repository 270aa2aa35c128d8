import type { Engine } from "./containers/connect-engine.ts";
import type { ContainerLease, GpuAccess } from "./containers/container-lease.ts";
import { engineId, hasContainersOf } from "./containers/containers-of-job.ts";
import { CLAIMS_FOLDER } from "./hosts/gpu-claims.ts";
import type { HostAccess } from "./hosts/host-access.ts";
import {
  type GpuHold,
  type HostGpus,
  type HostGpusOptions,
  hostGpus,
  unitsToClaim,
} from "./hosts/host-gpus.ts";
import type { Capability, EngineCapability } from "./profiles/capability.ts";

export type HostGpusOfOptions = Pick<HostGpusOptions, "owner" | "log"> & {
  readonly access: Pick<HostAccess, "name" | "shell">;
  /** All engines of the machine that can be asked. */
  engines(signal: AbortSignal): Promise<readonly Pick<Engine, "docker">[]>;
};

/** GPUs of a machine that is reached this way; `undefined` where nothing but an engine can be asked: no GPUs are known there. */
export function hostGpusOf({
  access,
  owner,
  engines,
  log,
}: HostGpusOfOptions): HostGpus | undefined {
  const { name, shell } = access;
  if (shell === undefined) return undefined;
  return hostGpus({
    ...{ owner, log, host: name, folder: CLAIMS_FOLDER },
    shell: async () => shell,
    async hasJob(id, job, signal) {
      const all = await engines(signal);
      const ids = await Promise.all(all.map(({ docker }) => engineId(docker)));
      const asked = all[ids.indexOf(id)];
      return asked && (await hasContainersOf(asked.docker, job));
    },
  });
}

/** Takes the GPUs of a job's lease on its machine. */
export async function claimForJob(
  gpus: HostGpus,
  {
    job,
    uuids,
    engine,
    host,
  }: {
    readonly job: string;
    readonly uuids: readonly string[];
    readonly engine: Pick<Engine, "docker">;
    readonly host: Pick<Capability, "gpus">;
  },
  signal: AbortSignal,
): Promise<GpuHold> {
  const units = unitsToClaim(uuids, host.gpus);
  return await gpus.claim({ job, units, engine: await engineId(engine.docker) }, signal);
}

/** How an engine gives a container these GPUs. */
export async function gpuAccessOf(
  uuids: readonly string[],
  {
    host,
    engine,
    shell,
  }: {
    readonly host: Pick<Capability, "gpus">;
    readonly engine: Pick<EngineCapability, "gpusBy"> | undefined;
    readonly shell: HostAccess["shell"];
  },
  signal: AbortSignal,
): Promise<NonNullable<ContainerLease["gpuAccess"]>> {
  const given = host.gpus.filter(({ uuid }) => uuid !== null && uuids.includes(uuid));
  const nodes = [...new Set(given.flatMap(({ deviceNodes = [] }) => deviceNodes))];
  if (nodes.length === 0) return { by: engine?.gpusBy ?? "runtime" };
  return { by: "nodes", nodes, groups: await groupsOf(nodes, shell, signal) };
}

/** Names of groups mean nothing in an image that does not have them. */
async function groupsOf(
  nodes: readonly string[],
  shell: HostAccess["shell"],
  signal: AbortSignal,
): Promise<Extract<GpuAccess, { by: "nodes" }>["groups"]> {
  const stdin = `${nodes.join("\n")}\n`;
  const script = 'while IFS= read -r node; do stat -c %g "$node"; done';
  const { stdout = "" } = (await shell?.run(script, { stdin, limitMs: 30_000, signal })) ?? {};
  // Root's needs no mention.
  return [...new Set(stdout.split("\n"))].filter((id) => /^[1-9]\d*$/.test(id));
}
