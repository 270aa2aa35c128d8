import { BerthError } from "../runner/errors.ts";
import type { Engine } from "./containers/connect-engine.ts";
import { gpuSettings } from "./containers/container-lease.ts";
import { thisOwner } from "./containers/owner.ts";
import type { GpuClaim, PodHost } from "./containers/pods/pod-host.ts";
import type { GpuWish } from "./containers/pods/pod-wish.ts";
import { claimForJob, gpuAccessOf, hostGpusOf } from "./host-gpus-of.ts";
import { capabilityOf } from "./hosts/capability-of.ts";
import { listClaims, releaseUnits } from "./hosts/gpu-claims.ts";
import type { HostAccess } from "./hosts/host-access.ts";
import type { Capability } from "./profiles/capability.ts";
import { gpuMisfits, gpuUnits } from "./profiles/gpu-misfits.ts";
import type { Need } from "./profiles/need.ts";

/** Others may take at the same moment what looked free. */
const TRIES = 3;

/** How a pod's GPUs are claimed on a machine, and let go. Without a shell there nothing is known of its GPUs. */
export function podGpus(access: HostAccess): Pick<PodHost, "claimGpus" | "releaseClaims"> {
  const { shell } = access;
  if (shell === undefined) return {};
  return {
    claimGpus: (wish, holder, signal) => claim(access, wish, holder, signal),
    // Whoever removes a pod is another process than the one that claimed.
    async releaseClaims(podId) {
      const held = await listClaims(shell, { signal: AbortSignal.timeout(60_000) });
      await releaseUnits(
        shell,
        held.filter((unit) => unit.claim?.job === podId),
      );
    },
  };
}

async function claim(
  access: HostAccess,
  wish: GpuWish,
  { podId, engine }: { readonly podId: string; readonly engine: Engine },
  signal: AbortSignal,
): Promise<GpuClaim> {
  const { name, shell } = access;
  const host = capabilityOf(await access.probe(signal), name);
  const need: Need = {
    gpus: wish.count,
    rootless: false,
    dind: false,
    ...(wish.model !== undefined && { gpuModel: wish.model }),
  };
  const [misfit] = gpuMisfits(need, host);
  if (misfit !== undefined) throw noGpus(misfit);

  const log = { warn: () => {} };
  const gpus = hostGpusOf({ access, owner: thisOwner(), engines: async () => [engine], log });
  if (gpus === undefined) throw noGpus(`${name} is known by its engine alone.`);
  for (let tries = 1; ; tries++) {
    await gpus.look(signal);
    const withheld = gpus.withheld();
    const isFree = ({ uuid }: { uuid: string }) => !withheld.some((one) => one.uuid === uuid);
    const units = gpuUnits(need, host).filter(isFree).slice(0, wish.count);
    if (units.length < wish.count) throw taken(host, wish, withheld);
    const uuids = units.map(({ uuid }) => uuid);
    const hold = await claimForJob(gpus, { job: podId, uuids, engine, host }, signal);
    if (hold.taken !== undefined) {
      if (tries === TRIES) throw taken(host, wish, hold.taken);
      continue;
    }
    const own = host.engines.find(({ endpoint }) => endpoint === engine.endpoint);
    const given = await gpuAccessOf(uuids, { host, engine: own ?? host.engines[0], shell }, signal);
    return {
      gpus: units.map(({ uuid, gpu }) => ({ uuid, model: gpu.model })),
      settings: gpuSettings(uuids, given),
      release: () => Promise.resolve(hold[Symbol.asyncDispose]()),
    };
  }
}

function taken(
  { name }: Capability,
  { count, model }: GpuWish,
  withheld: readonly { readonly uuid: string; readonly why: string }[],
): BerthError {
  const why = withheld.map((one) => `${one.uuid} ${one.why}`).join("; ");
  const what = `${count} ${model ?? "GPU"}${model === undefined && count > 1 ? "s" : ""}`;
  return noGpus(`${name} has not ${what} free now: ${why || "others took them first"}.`);
}

function noGpus(message: string): BerthError {
  return new BerthError("HOST_UNUSABLE", {
    message,
    remedy: "`berth host probe` tells of the GPUs; --gpu auto goes on without.",
  });
}
