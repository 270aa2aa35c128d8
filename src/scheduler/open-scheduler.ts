import type { LeaseRecord } from "../store/records.ts";
import type { Store } from "../store/store.ts";
import { Placement } from "./placement.ts";
import { ReasonLoop } from "./reason-loop.ts";
import type { Lease, PlaceRequest, SchedulableHost, Scheduler } from "./scheduler.ts";
import type { Limits } from "./shares.ts";
import type { WaitingJob } from "./waiting-line.ts";

export type OpenSchedulerOptions = {
  readonly store: Store["leases"];
  readonly hosts: readonly SchedulableHost[];
  readonly limits: Limits;
  readonly now?: () => number;
  /** How often reasons are told anew at most, in milliseconds. */
  readonly reasonEveryMs?: number;
  /** How long to wait before a lease is given back again that the store failed to remove, in milliseconds. */
  readonly retryMs?: number;
};

type PlaceOptions = Parameters<Scheduler["place"]>[1];

/** A job in the line, and whom to tell. */
type Waiter = {
  readonly onWait: (reason: string) => void;
  readonly found: (lease: LeaseRecord) => void;
  reason?: string;
};

/** Opens the scheduler over what the store holds: leases of an earlier life stay with their jobs. */
export async function openScheduler(options: OpenSchedulerOptions): Promise<Scheduler> {
  const scheduler = new StoredScheduler(options, await options.store.all());
  scheduler.setHosts(options.hosts);
  return scheduler;
}

class StoredScheduler implements Scheduler {
  readonly #store: Store["leases"];
  readonly #now: () => number;
  readonly #retryMs: number;
  readonly #placement: Placement;
  readonly #reasons: ReasonLoop<WaitingJob>;
  readonly #waiters = new Map<WaitingJob, Waiter>();
  /** Leases of an earlier life that nobody has asked for yet. */
  readonly #unclaimed: Map<string, LeaseRecord>;
  /** Jobs that wait or have a lease. */
  readonly #jobs = new Set<string>();
  /** All that is leased. */
  readonly #held = new Set<LeaseRecord>();
  /** Given back, but the store has not removed them yet. */
  readonly #stuck = new Map<string, LeaseRecord>();

  constructor(
    { store, limits, now = Date.now, reasonEveryMs = 1000, retryMs = 1000 }: OpenSchedulerOptions,
    leases: readonly LeaseRecord[],
  ) {
    this.#store = store;
    this.#now = now;
    this.#retryMs = retryMs;
    this.#placement = new Placement(limits);
    const claimable = leases.filter(({ lost }) => lost === undefined);
    this.#unclaimed = new Map(claimable.map((lease) => [lease.jobId, lease]));
    for (const lease of leases) {
      this.#held.add(lease);
      this.#placement.take(lease);
    }
    this.#reasons = new ReasonLoop(reasonEveryMs, {
      jobs: () => this.#waiters.keys(),
      tell: (job) => this.#tellReason(job),
    });
  }

  async place(request: PlaceRequest, options: PlaceOptions): Promise<Lease> {
    const { jobId } = request;
    if (this.#jobs.has(jobId)) throw new Error(`The job ${jobId} waits or runs already.`);
    const stuck = this.#stuck.get(jobId);
    if (stuck !== undefined) await this.#giveBack(stuck);
    const earlier = this.#unclaimed.get(jobId);
    // Also of one that was cancelled: its container may still use what is leased, until its owner has removed that.
    if (earlier === undefined) options.signal.throwIfAborted();
    this.#jobs.add(jobId);
    this.#unclaimed.delete(jobId);
    if (earlier !== undefined) return this.#lease(earlier);

    try {
      return await this.#leaseNew(request, options);
    } catch (error) {
      this.#jobs.delete(jobId);
      throw error;
    }
  }

  setHosts(hosts: readonly SchedulableHost[]): void {
    this.#placement.setHosts(hosts);
    this.#placeAll();
  }

  setLimits(limits: Limits): void {
    this.#placement.setLimits(limits);
    this.#placeAll();
  }

  hosts() {
    return this.#placement.status();
  }

  async #leaseNew(request: PlaceRequest, options: PlaceOptions): Promise<Lease> {
    const lease = await this.#wait(request, options);
    try {
      await this.#store.add(lease);
      options.signal.throwIfAborted();
    } catch (error) {
      // Even if adding failed: the store may have kept it before it failed. If this fails too, it is tried again.
      await this.#giveBack(lease).catch(() => {});
      throw error;
    }
    return this.#lease(lease);
  }

  /** Resolves with what is leased in memory so far. */
  #wait(request: PlaceRequest, { onWait, signal }: PlaceOptions): Promise<LeaseRecord> {
    const { promise, resolve, reject } = Promise.withResolvers<LeaseRecord>();
    const job = this.#placement.add(request);
    const abort = () => {
      this.#waiters.delete(job);
      this.#placement.remove(job);
      reject(signal.reason as Error);
      this.#placeAll(); // a host may have been kept for it
    };
    const found = (lease: LeaseRecord) => {
      signal.removeEventListener("abort", abort);
      resolve(lease);
    };
    this.#waiters.set(job, { onWait, found });
    signal.addEventListener("abort", abort, { once: true });
    this.#placeAll();
    this.#tellReason(job);
    return promise;
  }

  #placeAll(): void {
    for (;;) {
      const placed = this.#placement.next(this.#now());
      if (placed === undefined) break;
      this.#held.add(placed.lease);
      this.#waiters.get(placed.job)?.found(placed.lease);
      this.#waiters.delete(placed.job);
    }
    if (this.#waiters.size > 0) this.#reasons.wake();
  }

  #tellReason(job: WaitingJob): void {
    const waiter = this.#waiters.get(job);
    if (waiter === undefined) return;
    const reason = this.#placement.explain(job);
    if (reason === waiter.reason) return;
    waiter.reason = reason;
    waiter.onWait(reason);
  }

  #lease(record: LeaseRecord): Lease {
    let isHeld = true;
    return {
      record,
      [Symbol.asyncDispose]: async () => {
        if (!isHeld) return;
        isHeld = false;
        this.#jobs.delete(record.jobId);
        await this.#giveBack(record);
      },
      keepLost: async (lost) => {
        if (!isHeld) return;
        const what = lost.isKept ? "kept for a look" : "lost";
        const kept = { ...record, jobId: `${lost.execution} (${what})`, lost };
        await this.#store.replace(record.jobId, kept);
        isHeld = false;
        this.#jobs.delete(record.jobId);
        this.#held.delete(record);
        this.#placement.giveBack(record);
        this.#held.add(kept);
        this.#placement.take(kept);
      },
    };
  }

  lost(): LeaseRecord[] {
    return [...this.#held].filter(({ lost }) => lost !== undefined);
  }

  freeLost(lease: LeaseRecord): Promise<void> {
    return this.#giveBack(lease);
  }

  /**
   * What it had is given to others only when the store has forgotten that it is leased.
   *
   * @throws What the store threw; it is tried again later then.
   */
  async #giveBack(lease: LeaseRecord): Promise<void> {
    const { jobId } = lease;
    try {
      await this.#store.remove(jobId);
    } catch (error) {
      if (!this.#stuck.has(jobId)) this.#giveBackLater(lease);
      throw error;
    }
    if (!this.#held.delete(lease)) return;
    this.#stuck.delete(jobId);
    this.#placement.giveBack(lease);
    this.#placeAll();
  }

  #giveBackLater(lease: LeaseRecord): void {
    this.#stuck.set(lease.jobId, lease);
    const retry = async () => {
      if (!this.#held.has(lease)) return;
      await this.#giveBack(lease).catch(() => this.#giveBackLater(lease));
    };
    setTimeout(() => void retry(), this.#retryMs).unref();
  }
}
