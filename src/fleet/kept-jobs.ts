import { textOf } from "../../runner/errors.ts";
import type { Log } from "../log.ts";
import type { Lease, Scheduler } from "../scheduler/scheduler.ts";
import type { JobRecord, KeptRecord } from "../store/records.ts";
import type { Store } from "../store/store.ts";
import { executionId, executionJobId } from "./execution-id.ts";
import type { HostPlaces } from "./host-places.ts";
import { JobKeeper } from "./job-keeper.ts";
import { clearRemains } from "./lost-leases.ts";

/** For how long a failed job's container is kept, and whose keys may log in. */
export type KeepTerms = { readonly ms: number; readonly keys: KeptRecord["keys"] };

/** A container that was left when its job had failed. */
export type LeftJob = {
  readonly keeper: JobKeeper;
  readonly host: HostPlaces;
  readonly lease: Pick<Lease, "keepLost">;
  readonly terms: KeepTerms;
  /** Let go of once the container is gone. */
  readonly claims: AsyncDisposable;
  /** Has its check say what is known by now. */
  retell(): void;
};

export type KeptJobsDeps = {
  readonly store: Pick<Store, "jobs" | "history">;
  readonly scheduler: Pick<Scheduler, "lost" | "freeLost">;
  hostOf(name: string): HostPlaces | undefined;
  /** Public keys that a user has on GitHub. */
  keysOf(job: JobRecord, login: string): Promise<readonly string[]>;
  /** Has the check of a job of an earlier life say what is known by now. */
  retell(job: JobRecord): void;
  readonly log: Log;
  now?(): number;
};

type Kept = {
  readonly keeper: JobKeeper;
  readonly untilMs: number;
  readonly host: HostPlaces | undefined;
  readonly claims: AsyncDisposable;
  retell(): void;
  /** Aborted when its end begins. */
  readonly ending: AbortController;
};

const NO_CLAIMS: AsyncDisposable = { [Symbol.asyncDispose]: async () => {} };

/**
 * Containers of failed jobs, kept for a while so that somebody can look into them. What such a job was leased stays with it until its container is gone. The
 * container ends itself when its time is over, also when this process is gone by then; the leases tell the next life of the service what is kept.
 */
export class KeptJobs implements Disposable {
  readonly #deps: KeptJobsDeps;
  readonly #now: () => number;
  readonly #kept = new Map<string, Kept>();
  readonly #stopped = new AbortController();

  constructor(deps: KeptJobsDeps) {
    this.#deps = deps;
    this.#now = deps.now ?? Date.now;
  }

  has(jobId: string): boolean {
    return this.#kept.has(jobId);
  }

  /** Of a job whose container is kept. */
  record(jobId: string): JobRecord | undefined {
    return this.#kept.get(jobId)?.keeper.record;
  }

  /** As their records are now. */
  records(): JobRecord[] {
    return [...this.#kept.values()].map(({ keeper }) => keeper.record);
  }

  /** Takes a container over. False when it cannot be kept: then it is still the caller's to remove. */
  async keep({ keeper, host, lease, terms, claims, retell }: LeftJob): Promise<boolean> {
    const { id } = keeper.record;
    const execution = executionId(keeper.record);
    const untilMs = this.#now() + terms.ms;
    try {
      if (!(await host.keeping?.hold(execution, terms.ms / 1000))) return false;
      await lease.keepLost({ execution, untilMs, isKept: true });
    } catch (error) {
      this.#deps.log.warn({ job: id, error: textOf(error) }, "not kept for a look");
      return false;
    }
    const kept = { untilMs, keys: terms.keys };
    await keeper.change({ kept }, `Its container is kept for a look until ${timeOf(untilMs)}.`);
    this.#deps.log.info({ job: id, host: host.name, untilMs }, "kept for a look");
    this.#watch({ keeper, host, claims, retell, untilMs, ending: new AbortController() });
    return true;
  }

  /** Removes what is kept of a job, before its time. False when nothing is. */
  async end(jobId: string, by: string): Promise<boolean> {
    const kept = this.#kept.get(jobId);
    if (kept === undefined) return false;
    await this.#end(kept, `${by} ended the look into its container, which is removed.`);
    return true;
  }

  /** Takes up what an earlier life kept, to be done before anything else goes on; what is over is removed in the background. */
  async resume(): Promise<void> {
    const { store, scheduler, hostOf } = this.#deps;
    for (const { host, lost } of scheduler.lost()) {
      if (lost?.isKept !== true) continue;
      const record = await store.jobs.get(executionJobId(lost.execution));
      if (record === undefined) continue;
      const { untilMs } = lost;
      // That life may have died before it had noted it.
      const keeper = new JobKeeper({ kept: { untilMs, keys: [] }, ...record }, store);
      const retell = () => this.#deps.retell(keeper.record);
      const of = { keeper, untilMs, retell, claims: NO_CLAIMS, ending: new AbortController() };
      this.#watch({ ...of, host: hostOf(host) });
    }
  }

  /** What is kept stays as it is. */
  [Symbol.dispose](): void {
    this.#stopped.abort();
  }

  #watch(kept: Kept): void {
    this.#kept.set(kept.keeper.record.id, kept);
    const { signal } = kept.ending;
    const timer = setTimeout(
      () => void this.#end(kept, "The time for a look is over: its container is removed."),
      Math.max(0, kept.untilMs - this.#now()),
    ).unref();
    for (const stop of [signal, this.#stopped.signal]) {
      stop.addEventListener("abort", () => clearTimeout(timer), { once: true });
    }
    if (kept.keeper.record.kept?.login !== undefined || kept.untilMs <= this.#now()) return;
    const stop = AbortSignal.any([signal, this.#stopped.signal]);
    this.#logIn(kept, stop).catch((error: unknown) => {
      if (stop.aborted) return;
      const facts = { job: kept.keeper.record.id, error: textOf(error) };
      this.#deps.log.warn(facts, "no login for a look");
    });
  }

  async #logIn(kept: Kept, signal: AbortSignal): Promise<void> {
    const login = await this.#loginOf(kept, signal).catch((error: unknown) => ({
      problem: textOf(error),
    }));
    signal.throwIfAborted();
    const { record } = kept.keeper;
    if (record.kept === undefined) return;
    await kept.keeper.change({ kept: { ...record.kept, login } });
    kept.retell();
  }

  async #loginOf(
    { keeper, host, untilMs }: Kept,
    signal: AbortSignal,
  ): Promise<NonNullable<KeptRecord["login"]>> {
    const { record } = keeper;
    const { keys: asked = [] } = record.kept ?? {};
    const ofUser = "ofUser" in asked ? asked.ofUser : undefined;
    const keys = "ofUser" in asked ? await this.#deps.keysOf(record, asked.ofUser) : asked;
    if (keys.length === 0) {
      return ofUser === undefined ? {} : { problem: `${ofUser} has no SSH keys on GitHub.` };
    }
    if (host?.keeping === undefined) return { problem: "Its host is not in berth.yml any more." };
    const limitMs = untilMs - this.#now();
    return await host.keeping.logIn(executionId(record), { keys, limitMs, signal });
  }

  async #end(kept: Kept, message: string): Promise<void> {
    const { keeper, host, claims, ending } = kept;
    if (ending.signal.aborted) return;
    ending.abort();
    const { id } = keeper.record;
    const execution = executionId(keeper.record);
    try {
      const isClear = host !== undefined && (await clearRemains(host, execution));
      await claims[Symbol.asyncDispose]();
      const { scheduler } = this.#deps;
      const lease = scheduler.lost().find(({ lost }) => lost?.execution === execution);
      // Else it is freed once that is certain, as of any job whose host was lost.
      if (isClear && lease !== undefined) await scheduler.freeLost(lease);
      await keeper.change({ kept: undefined }, message);
      this.#deps.log.info({ job: id }, "no longer kept for a look");
    } catch (error) {
      this.#deps.log.warn({ job: id, error: textOf(error) }, "end of a look not kept yet");
    } finally {
      this.#kept.delete(id);
    }
  }
}

/** `13:20 UTC` */
export function timeOf(ms: number): string {
  return `${new Date(ms).toISOString().slice(11, 16)} UTC`;
}
