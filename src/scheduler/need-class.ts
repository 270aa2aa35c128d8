import { fits } from "../profiles/fits.ts";
import { gpuUnits } from "../profiles/gpu-misfits.ts";
import type { Need } from "../profiles/need.ts";
import { gpusFor, type Hold, type Option } from "./choose-place.ts";
import type { HostLedger } from "./host-ledger.ts";

/** All jobs that ask the same of a host: what fits one fits each. */
export class NeedClass {
  readonly need: Need;
  /** Hosts that could run such a job, open or closed. */
  readonly options = new Map<HostLedger, Option>();
  /** Those of them that may have room. One without is taken out when that is found, and comes back when something of it is given back. */
  readonly #roomy = new Set<HostLedger>();
  #waiting = 0;
  #openOptions: number | undefined;
  #meets = new WeakMap<NeedClass, boolean>();

  constructor(need: Need, hosts: Iterable<HostLedger>) {
    this.need = need;
    for (const host of hosts) this.look(host);
  }

  /** How many jobs of it wait. */
  get waiting(): number {
    return this.#waiting;
  }

  changeWaiting(by: 1 | -1): void {
    if (this.#waiting === 0) for (const host of this.options.keys()) this.#roomy.add(host);
    this.#waiting += by;
  }

  /** Whether a host that could run it takes jobs now. */
  get isPlaceable(): boolean {
    this.#openOptions ??= [...this.options.keys()].filter(({ isOpen }) => isOpen).length;
    return this.#openOptions > 0;
  }

  /** Finds out anew whether a host could run it. */
  look(host: HostLedger): void {
    this.#openOptions = undefined;
    this.#meets = new WeakMap();
    const capability = host.host?.capability;
    this.options.delete(host);
    this.#roomy.delete(host);
    if (capability === undefined || fits(this.need, capability).length > 0) return;
    const units = this.need.gpus === 0 ? [] : gpuUnits(this.need, capability);
    const smallestFirst = units.toSorted(
      (a, b) => (a.gpu.memoryBytes ?? 0) - (b.gpu.memoryBytes ?? 0),
    );
    this.options.set(host, { host, units: smallestFirst });
    this.#roomy.add(host);
  }

  /** Whether some host could run jobs of both. */
  meets(other: NeedClass): boolean {
    const known = this.#meets.get(other);
    if (known !== undefined) return known;
    const meets = this.options.keys().some((host) => other.options.has(host));
    this.#meets.set(other, meets);
    return meets;
  }

  /** What is kept free on a host for a job of it. */
  hold(host: HostLedger): Hold | undefined {
    const option = this.options.get(host);
    return option && { ...option, need: this.need };
  }

  /** Something of a host was given back. */
  hearOf(host: HostLedger): void {
    if (this.#waiting > 0 && this.options.has(host)) this.#roomy.add(host);
  }

  /** Hosts that take jobs and have room for one of it now. */
  *withRoom(): Generator<Option> {
    for (const host of this.#roomy) {
      const option = this.options.get(host);
      if (option !== undefined && host.isOpen && gpusFor(this.need, option) !== undefined) {
        yield option;
      } else {
        this.#roomy.delete(host);
      }
    }
  }
}

/** What decides where a job can run; jobs with equal keys are of one class. */
export function needKey(need: Need): string {
  const { gpus, gpuModel, gpuMemoryBytes, cuda, mig, arch, rootless, cpus, memoryBytes, host } =
    need;
  const gpu = [gpus, gpuModel, gpuMemoryBytes, cuda, mig];
  return JSON.stringify([
    ...gpu,
    arch,
    rootless,
    need.dind,
    need.dindMode,
    cpus,
    memoryBytes,
    host,
  ]);
}
