import type { GpuUnit } from "../profiles/gpu-misfits.ts";
import type { Need } from "../profiles/need.ts";
import type { HostLedger } from "./host-ledger.ts";
import { toNano } from "./machine-pool.ts";

/** A host that can run a job when nobody else uses it, with the GPUs it could be leased, the smallest first. */
export type Option = { readonly host: HostLedger; readonly units: readonly GpuUnit[] };

/** Where a job goes, and the GPUs it gets there. */
export type Place = { readonly host: HostLedger; readonly gpus: readonly string[] };

/** What is kept free for a job that has waited long. */
export type Hold = Option & { readonly need: Need };

/**
 * The best of the hosts that have room: one without GPUs for a job that needs none; the smallest GPUs that do, on the host with the fewest others
 * free; then where least is left over, or, for a job that reserves nothing, where the fewest jobs run.
 *
 * @param holdOn What must stay free on a host.
 */
export function choosePlace(
  need: Need,
  options: Iterable<Option>,
  holdOn: (host: HostLedger) => Hold | undefined,
): Place | undefined {
  let best: { readonly place: Place; readonly cost: readonly number[] } | undefined;
  for (const option of options) {
    const gpus = gpusFor(need, option);
    if (gpus === undefined || takesFrom(holdOn(option.host), option.host, { need, gpus })) continue;
    const cost = costOf(need, option, gpus);
    if (best !== undefined && !isLess(cost, best.cost)) continue;
    best = { place: { host: option.host, gpus }, cost };
  }
  return best?.place;
}

/** Whether `choosePlace` would find one. */
export function hasPlace(
  need: Need,
  options: Iterable<Option>,
  holdOn: (host: HostLedger) => Hold | undefined,
): boolean {
  for (const option of options) {
    const gpus = gpusFor(need, option);
    const { host } = option;
    if (gpus !== undefined && !takesFrom(holdOn(host), host, { need, gpus })) return true;
  }
  return false;
}

const NO_GPUS: readonly string[] = [];

/** The GPUs that a job would get on a host now; `undefined` when there is no room for it. */
export function gpusFor(need: Need, { host, units }: Option): readonly string[] | undefined {
  if (lacking(need, host) !== undefined) return undefined;
  if (need.gpus === 0) return NO_GPUS;
  const free = freeUnits(units, host);
  return free.length < need.gpus ? undefined : free.slice(0, need.gpus).map(({ uuid }) => uuid);
}

/** What there is too little of on a host now, GPUs aside. */
export function lacking(need: Need, host: HostLedger): "slots" | "cpus" | "memory" | undefined {
  if (host.freeSlots < 1) return "slots";
  if (need.cpus !== undefined && toNano(need.cpus) > host.freeNanoCpus) return "cpus";
  if (need.memoryBytes !== undefined && need.memoryBytes > host.freeBytes) return "memory";
  return undefined;
}

/** A slice is not free while the GPU that it was cut from is leased whole, or withheld. */
export function freeUnits(units: readonly GpuUnit[], host: HostLedger): GpuUnit[] {
  return units.filter(
    ({ uuid, gpu }) =>
      host.isGpuFree(uuid) && (gpu.uuid === null || gpu.uuid === uuid || host.isGpuFree(gpu.uuid)),
  );
}

/** Whether a job would take what is kept for another. What that one has no use for may be taken. */
export function takesFrom(
  hold: Hold | undefined,
  host: HostLedger,
  taken: { readonly need: Need; readonly gpus: readonly string[] },
): boolean {
  if (hold === undefined) return false;
  const { need, units } = hold;
  const { cpus = 0, memoryBytes = 0 } = taken.need;
  // Slots are each host's own; the rest is its machine's.
  if (hold.host === host && host.freeSlots < 2) return true;
  if (cpus > 0 && toNano(cpus) + toNano(need.cpus ?? 0) > host.freeNanoCpus) return true;
  if (memoryBytes > 0 && memoryBytes + (need.memoryBytes ?? 0) > host.freeBytes) return true;
  const wanted = freeUnits(units, host).map(({ uuid }) => uuid);
  const shared = taken.gpus.filter((uuid) => wanted.includes(uuid)).length;
  return shared > 0 && wanted.length - shared < need.gpus;
}

/** How much has to be given back before a job has room on a host: whole jobs, GPUs, shares of CPUs and memory. */
export function shortageOn(need: Need, { host, units }: Option): number {
  const { cpus = 0, memoryBytes = 0 } = host.host?.capability ?? {};
  const gpus = need.gpus === 0 ? 0 : need.gpus - freeUnits(units, host).length;
  const processors = (toNano(need.cpus ?? 0) - host.freeNanoCpus) / Math.max(1, toNano(cpus));
  const memory = ((need.memoryBytes ?? 0) - host.freeBytes) / Math.max(1, memoryBytes);
  return [1 - host.freeSlots, gpus, processors, memory].reduce(
    (sum, lack) => sum + Math.max(0, lack),
    0,
  );
}

function costOf(need: Need, { host, units }: Option, gpus: readonly string[]): readonly number[] {
  const leftOver = leftOverOn(need, host);
  if (need.gpus === 0) return [host.gpuCount, 0, leftOver];
  const given = units.filter(({ uuid }) => gpus.includes(uuid));
  const bytes = given.reduce((sum, { gpu }) => sum + (gpu.memoryBytes ?? 0), 0);
  return [bytes, freeUnits(units, host).length, leftOver];
}

function leftOverOn(need: Need, host: HostLedger): number {
  const { cpus = 1, memoryBytes = 1 } = host.host?.capability ?? {};
  if (need.cpus === undefined && need.memoryBytes === undefined) {
    return host.leases.size / (host.host?.slots ?? 1);
  }
  return host.freeNanoCpus / toNano(cpus) + host.freeBytes / memoryBytes;
}

function isLess(one: readonly number[], other: readonly number[]): boolean {
  const at = one.findIndex((value, index) => value !== other[index]);
  return at !== -1 && (one[at] ?? 0) < (other[at] ?? 0);
}
