import type { LeaseRecord } from "../store/records.ts";
import { MachinePool, toNano } from "./machine-pool.ts";
import type { HostStatus, SchedulableHost } from "./scheduler.ts";

/** A host and what of it is leased. It outlives its line in the configuration as long as jobs of it run. */
export class HostLedger {
  readonly name: string;
  readonly leases = new Map<string, LeaseRecord>();
  #host: SchedulableHost | undefined;
  #withheld: ReadonlyMap<string, string> = new Map();
  #machine = new MachinePool();

  constructor(name: string) {
    this.name = name;
    this.#machine.add(this);
  }

  /** As it was configured and probed last; `undefined` when it is no host of ours any more. */
  get host(): SchedulableHost | undefined {
    return this.#host;
  }

  set host(host: SchedulableHost | undefined) {
    this.#host = host;
    this.#withheld = new Map(host?.withheld?.map(({ uuid, why }) => [uuid, why]));
  }

  /** What others have of the machine counts as well. */
  get machine(): MachinePool {
    return this.#machine;
  }

  set machine(machine: MachinePool) {
    this.#machine.remove(this);
    this.#machine = machine;
    machine.add(this);
  }

  /** GPUs that nobody gets for the time being, and why. */
  get withheld(): ReadonlyMap<string, string> {
    return this.#withheld;
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
    return toNano(this.#host?.capability?.cpus ?? 0) - this.#machine.reservedNanoCpus;
  }

  get freeBytes(): number {
    return (this.#host?.capability?.memoryBytes ?? 0) - this.#machine.reservedBytes;
  }

  /** Whether a GPU or a slice is neither leased nor withheld. */
  isGpuFree(uuid: string): boolean {
    return !this.#machine.isLeased(uuid) && this.#machine.whyWithheld(uuid) === undefined;
  }

  add(lease: LeaseRecord): void {
    this.leases.set(lease.jobId, lease);
    this.#machine.take(lease);
  }

  remove(lease: LeaseRecord): void {
    if (this.leases.delete(lease.jobId)) this.#machine.giveBack(lease);
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
        gpus: units.filter((uuid) => this.isGpuFree(uuid)),
      },
    };
  }
}
