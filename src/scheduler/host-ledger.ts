import type { LeaseRecord } from "../store/records.ts";
import type { HostStatus, SchedulableHost } from "./scheduler.ts";

/** A host and what of it is leased. It outlives its line in the configuration as long as jobs of it run. */
export class HostLedger {
  readonly name: string;
  readonly leases = new Map<string, LeaseRecord>();
  /** Whole GPUs and slices that are leased. */
  readonly leasedGpus = new Set<string>();
  #host: SchedulableHost | undefined;
  #reservedNanoCpus = 0;
  #reservedBytes = 0;

  constructor(name: string) {
    this.name = name;
  }

  /** As it was configured and probed last; `undefined` when it is no host of ours any more. */
  get host(): SchedulableHost | undefined {
    return this.#host;
  }

  set host(host: SchedulableHost | undefined) {
    this.#host = host;
  }

  get isOpen(): boolean {
    return this.#host?.capability !== undefined && this.#host.closed === undefined;
  }

  /** GPUs of it that some job could be leased. */
  get gpuCount(): number {
    const gpus = this.#host?.capability?.gpus ?? [];
    return gpus.reduce((sum, { usable, uuid }) => sum + (usable && uuid !== null ? 1 : 0), 0);
  }

  /** Below zero where it shrank under its jobs. */
  get freeSlots(): number {
    return (this.#host?.slots ?? 0) - this.leases.size;
  }

  /** In billionths, which add up without a remainder. */
  get freeNanoCpus(): number {
    return toNano(this.#host?.capability?.cpus ?? 0) - this.#reservedNanoCpus;
  }

  get freeBytes(): number {
    return (this.#host?.capability?.memoryBytes ?? 0) - this.#reservedBytes;
  }

  add(lease: LeaseRecord): void {
    this.leases.set(lease.jobId, lease);
    this.#reservedNanoCpus += toNano(lease.cpus);
    this.#reservedBytes += lease.memoryBytes;
    for (const gpu of lease.gpus) this.leasedGpus.add(gpu);
  }

  remove(lease: LeaseRecord): void {
    this.leases.delete(lease.jobId);
    this.#reservedNanoCpus -= toNano(lease.cpus);
    this.#reservedBytes -= lease.memoryBytes;
    for (const gpu of lease.gpus) this.leasedGpus.delete(gpu);
  }

  /** `undefined` when it is no host of ours any more. */
  status(): HostStatus | undefined {
    const host = this.#host;
    if (host === undefined) return undefined;
    const units = (host.capability?.gpus ?? []).flatMap(({ usable, uuid, mig }) => {
      if (!usable) return [];
      return mig.length > 0 ? mig.map((slice) => slice.uuid) : (uuid ?? []);
    });
    return {
      ...host,
      leases: [...this.leases.values()],
      free: {
        slots: Math.max(0, this.freeSlots),
        cpus: Math.max(0, this.freeNanoCpus / 1e9),
        memoryBytes: Math.max(0, this.freeBytes),
        gpus: units.filter((uuid) => !this.leasedGpus.has(uuid)),
      },
    };
  }
}

export function toNano(cpus: number): number {
  return Math.round(cpus * 1e9);
}
