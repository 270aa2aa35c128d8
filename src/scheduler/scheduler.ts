import type { Capability, WithheldGpu } from "../profiles/capability.ts";
import type { Need } from "../profiles/need.ts";
import type { LeaseRecord } from "../store/records.ts";

/** A job that wants a place. */
export type PlaceRequest = {
  readonly jobId: string;
  readonly need: Need;
  /** `OWNER/NAME` */
  readonly repository: string;
  /** Higher first. */
  readonly priority: number;
  /** When it became ready to run: among equals the longest wait comes first. */
  readonly readyAtMs: number;
};

/** A host as the scheduler sees it. */
export type SchedulableHost = {
  readonly name: string;
  /** Jobs at once. */
  readonly slots: number;
  /** What its last probe proved; `undefined` while it has never answered. */
  readonly capability: Capability | undefined;
  /** Why it takes no jobs now though it might later: it does not answer, it is drained. */
  readonly closed?: string;
  /** GPUs of it that nobody gets for the time being. */
  readonly withheld?: readonly WithheldGpu[] | undefined;
};

export type HostStatus = SchedulableHost & {
  readonly leases: readonly LeaseRecord[];
  /** Hosts of one machine have this in common, slots apart. */
  readonly free: {
    readonly slots: number;
    readonly cpus: number;
    readonly memoryBytes: number;
    readonly gpus: readonly string[];
  };
};

/** What a job was given. Disposing of it gives it back, durably. */
export type Lease = AsyncDisposable & {
  readonly record: LeaseRecord;
  /**
   * Keeps what is leased from others though the job gives it up: its host was lost, and something of it may still run there, or its container is kept for a
   * look. The job may be placed anew. Disposing does nothing then.
   */
  keepLost(lost: NonNullable<LeaseRecord["lost"]>): Promise<void>;
};

export type Scheduler = {
  /**
   * Waits for a place. The lease is durable before this resolves. A job that holds a lease from an earlier life gets that one at once.
   * `onWait` hears why it waits, one sentence, each time that changes; it is told before the first wait, and at once when no host could
   * ever fit (the job goes on waiting: a host may be added).
   *
   * @throws The signal's reason when it is aborted.
   */
  place(
    request: PlaceRequest,
    options: { onWait(reason: string): void; readonly signal: AbortSignal },
  ): Promise<Lease>;
  /** Hosts as they are now; called at start, after each probe, and when one is drained. */
  setHosts(hosts: readonly SchedulableHost[]): void;
  /** Limits of a configuration read anew. */
  setLimits(limits: {
    readonly perRepository?: number | undefined;
    readonly perOrganisation?: number | undefined;
  }): void;
  hosts(): HostStatus[];
  /** What is leased to nobody any more and not free yet; see `Lease.keepLost`. */
  lost(): LeaseRecord[];
  /** Nothing of it runs any more. */
  freeLost(lease: LeaseRecord): Promise<void>;
};
