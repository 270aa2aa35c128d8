import type { Need } from "../profiles/need.ts";
import type { LeaseRecord } from "../store/records.ts";
import { HostLedger } from "./host-ledger.ts";
import { MachinePool } from "./machine-pool.ts";
import { NeedClass, needKey } from "./need-class.ts";
import type { SchedulableHost } from "./scheduler.ts";

/** Classes that are remembered though no job of them waits: to look at every host again takes longer than a placement. */
const KEPT_CLASSES = 500;

/** All hosts, what is leased of them, and which of them fit which needs. */
export class HostBook {
  readonly #ledgers = new Map<string, HostLedger>();
  readonly #classes = new Map<string, NeedClass>();
  readonly #seen = new Map<string, string>();
  /** What hosts of one machine share, by the machine's id. */
  readonly #machines = new Map<string, MachinePool>();
  #openCount = 0;

  /** In the order of the configuration; hosts that are no longer in it, but have jobs, come last. */
  get ledgers(): Iterable<HostLedger> {
    return this.#ledgers.values();
  }

  get classes(): Iterable<NeedClass> {
    return this.#classes.values();
  }

  /** How many take jobs. */
  get openCount(): number {
    return this.#openCount;
  }

  /** Only what fits on hosts that have changed is worked out anew. */
  setHosts(hosts: readonly SchedulableHost[]): void {
    const byName = new Map(hosts.map((host) => [host.name, host]));
    for (const name of byName.keys()) this.ledger(name);
    const changed: HostLedger[] = [];
    for (const [name, ledger] of this.#ledgers) {
      const host = byName.get(name);
      const seen = JSON.stringify(host) ?? "";
      ledger.host = host;
      if (this.#seen.get(name) === seen) continue;
      this.#seen.set(name, seen);
      this.#joinMachine(ledger);
      changed.push(ledger);
    }
    // Only when all are joined: what one tells says something of its machine's others.
    for (const ledger of changed) {
      for (const one of this.#classes.values()) one.look(ledger);
      this.#tellMachine(ledger);
    }
    for (const [name, { host, leases }] of this.#ledgers) {
      if (host === undefined && leases.size === 0) this.#forget(name);
    }
    this.#openCount = [...this.#ledgers.values()].filter(({ isOpen }) => isOpen).length;
  }

  ledger(name: string): HostLedger {
    const known = this.#ledgers.get(name);
    if (known !== undefined) return known;
    const ledger = new HostLedger(name);
    this.#ledgers.set(name, ledger);
    return ledger;
  }

  classOf(need: Need): NeedClass {
    const key = needKey(need);
    const known = this.#classes.get(key);
    if (known !== undefined) return known;
    for (const [old, { waiting }] of this.#classes) {
      if (this.#classes.size < KEPT_CLASSES) break;
      if (waiting === 0) this.#classes.delete(old);
    }
    const made = new NeedClass(need, this.#ledgers.values());
    this.#classes.set(key, made);
    return made;
  }

  giveBack(lease: LeaseRecord): void {
    const ledger = this.ledger(lease.host);
    ledger.remove(lease);
    this.#tellMachine(ledger);
    if (ledger.host === undefined && ledger.leases.size === 0) this.#forget(lease.host);
  }

  /** A machine that does not tell its id now is the one that it was. */
  #joinMachine(ledger: HostLedger): void {
    const id = ledger.host?.capability?.machineId ?? undefined;
    if (id === undefined) return;
    const pool = this.#machines.get(id) ?? new MachinePool();
    this.#machines.set(id, pool);
    if (ledger.machine === pool) return;
    const { machine: left } = ledger;
    ledger.machine = pool;
    this.#dropIfEmpty(left);
  }

  #dropIfEmpty(pool: MachinePool): void {
    if (pool.hosts.size > 0) return;
    for (const [id, other] of this.#machines) if (other === pool) this.#machines.delete(id);
  }

  #tellMachine({ machine }: HostLedger): void {
    for (const one of this.#classes.values()) for (const host of machine.hosts) one.hearOf(host);
  }

  #forget(name: string): void {
    const ledger = this.#ledgers.get(name);
    if (ledger !== undefined) {
      for (const one of this.#classes.values()) one.look(ledger);
      ledger.machine.hosts.delete(ledger);
      this.#dropIfEmpty(ledger.machine);
    }
    this.#ledgers.delete(name);
    this.#seen.delete(name);
  }
}
