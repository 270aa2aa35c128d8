import { setImmediate } from "node:timers/promises";
import type { Capability } from "../../../src/profiles/capability.ts";
import type { Need } from "../../../src/profiles/need.ts";
import { openScheduler } from "../../../src/scheduler/open-scheduler.ts";
import type {
  Lease,
  PlaceRequest,
  SchedulableHost,
  Scheduler,
} from "../../../src/scheduler/scheduler.ts";
import type { LeaseRecord } from "../../../src/store/records.ts";
import type { Store } from "../../../src/store/store.ts";

export const GIB = 1024 ** 3;

/** A store of leases in memory that refuses what the real one refuses, and fails when told to. */
export function memoryLeases(): Store["leases"] & {
  readonly rows: Map<string, LeaseRecord>;
  failing: boolean;
} {
  const rows = new Map<string, LeaseRecord>();
  const step = async (that: { failing: boolean }) => {
    await Promise.resolve();
    if (that.failing) throw new Error("database is locked");
  };
  return {
    rows,
    failing: false,
    async add(lease) {
      await step(this);
      if (rows.has(lease.jobId)) throw new Error(`${lease.jobId} has a lease`);
      const taken = [...rows.values()].flatMap(({ gpus }) => gpus);
      if (lease.gpus.some((gpu) => taken.includes(gpu))) throw new Error("a GPU is leased twice");
      rows.set(lease.jobId, lease);
    },
    async remove(jobId) {
      await step(this);
      rows.delete(jobId);
    },
    async replace(jobId, lease) {
      await step(this);
      rows.delete(jobId);
      rows.set(lease.jobId, lease);
    },
    all: () => Promise.resolve([...rows.values()]),
  };
}

export function aHost(
  name: string,
  {
    slots = 4,
    gpus = [],
    closed,
    withheld,
    ...capability
  }: Partial<Capability> & Partial<Pick<SchedulableHost, "slots" | "closed" | "withheld">> = {},
): SchedulableHost {
  const engines = [{ usable: true, rootless: false, enforcesLimits: true }];
  return {
    name,
    slots,
    capability: { name, arch: "x64", cpus: 8, memoryBytes: 32 * GIB, engines, gpus, ...capability },
    ...(closed !== undefined && { closed }),
    ...(withheld !== undefined && { withheld }),
  };
}

export function gpusOf(host: string, count: number, gigabytes = 40): Capability["gpus"] {
  return Array.from({ length: count }, (_, index) => ({
    vendor: "nvidia" as const,
    uuid: `GPU-${host}-${index}`,
    model: `NVIDIA A100-${gigabytes}GB`,
    memoryBytes: gigabytes * GIB,
    cuda: "12.4",
    mig: [],
    usable: true,
  }));
}

export function aRequest(
  jobId: string,
  { need = {}, ...rest }: Partial<Omit<PlaceRequest, "need">> & { need?: Partial<Need> } = {},
): PlaceRequest {
  return {
    jobId,
    repository: "acme/app",
    priority: 0,
    readyAtMs: 0,
    ...rest,
    need: { gpus: 0, rootless: false, dind: false, ...need },
  };
}

/** A scheduler whose jobs are followed: who waits and why, who was placed, in which order. */
export async function openWorld(
  hosts: readonly SchedulableHost[],
  {
    limits = {},
    store = memoryLeases(),
  }: {
    limits?: Parameters<Scheduler["setLimits"]>[0];
    store?: ReturnType<typeof memoryLeases>;
  } = {},
) {
  const scheduler = await openScheduler({ store, hosts, limits, reasonEveryMs: 0, retryMs: 1 });
  const leases = new Map<string, Lease>();
  const reasons = new Map<string, string>();
  const order: string[] = [];
  const errors = new Map<string, unknown>();
  const aborts = new Map<string, AbortController>();
  return {
    scheduler,
    store,
    leases,
    reasons,
    order,
    errors,
    /** Asks for a place, and waits until it has one, failed, or is told why it waits. */
    async ask(request: PlaceRequest): Promise<void> {
      const abort = new AbortController();
      aborts.set(request.jobId, abort);
      const onWait = (reason: string) => void reasons.set(request.jobId, reason);
      void scheduler.place(request, { onWait, signal: abort.signal }).then(
        (lease) => {
          reasons.delete(request.jobId);
          leases.set(request.jobId, lease);
          order.push(request.jobId);
        },
        (error: unknown) => errors.set(request.jobId, error),
      );
      await setImmediate();
    },
    async setHosts(next: readonly SchedulableHost[]): Promise<void> {
      scheduler.setHosts(next);
      await setImmediate();
    },
    async end(jobId: string): Promise<void> {
      const lease = leases.get(jobId);
      leases.delete(jobId);
      await lease?.[Symbol.asyncDispose]();
      await setImmediate();
    },
    async abort(jobId: string): Promise<void> {
      aborts.get(jobId)?.abort(new Error(`${jobId} was cancelled`));
      reasons.delete(jobId);
      await setImmediate();
    },
  };
}
