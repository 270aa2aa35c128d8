import type { LeaseRecord } from "../store/records.ts";
import type { HostLedger } from "./host-ledger.ts";

/** What is leased of one machine, through whichever of its hosts: two engines have the same GPUs, CPUs and memory. */
export class MachinePool {
  readonly hosts = new Set<HostLedger>();
  /** How many leases have a GPU or a slice: one, but for jobs that ran before it was known that two hosts are one machine. */
  readonly #gpus = new Map<string, number>();
  #reservedNanoCpus = 0;
  #reservedBytes = 0;

  get reservedNanoCpus(): number {
    return this.#reservedNanoCpus;
  }

  get reservedBytes(): number {
    return this.#reservedBytes;
  }

  isLeased(uuid: string): boolean {
    return this.#gpus.has(uuid);
  }

  /** Why nobody gets a GPU for the time being; `undefined` when that is not so. */
  whyWithheld(uuid: string): string | undefined {
    for (const host of this.hosts) {
      const why = host.withheld.get(uuid);
      if (why !== undefined) return why;
    }
    return undefined;
  }

  *leases(): Generator<LeaseRecord> {
    for (const { leases } of this.hosts) yield* leases.values();
  }

  add(host: HostLedger): void {
    this.hosts.add(host);
    for (const lease of host.leases.values()) this.take(lease);
  }

  remove(host: HostLedger): void {
    this.hosts.delete(host);
    for (const lease of host.leases.values()) this.giveBack(lease);
  }

  take(lease: LeaseRecord): void {
    this.#reservedNanoCpus += toNano(lease.cpus);
    this.#reservedBytes += lease.memoryBytes;
    for (const gpu of lease.gpus) this.#gpus.set(gpu, (this.#gpus.get(gpu) ?? 0) + 1);
  }

  giveBack(lease: LeaseRecord): void {
    this.#reservedNanoCpus -= toNano(lease.cpus);
    this.#reservedBytes -= lease.memoryBytes;
    for (const gpu of lease.gpus) {
      const left = (this.#gpus.get(gpu) ?? 0) - 1;
      if (left > 0) this.#gpus.set(gpu, left);
      else this.#gpus.delete(gpu);
    }
  }
}

/** In billionths, which add up without a remainder. */
export function toNano(cpus: number): number {
  return Math.round(cpus * 1e9);
}
