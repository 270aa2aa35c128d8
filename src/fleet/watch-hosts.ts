import { setTimeout as sleep } from "node:timers/promises";
import { textOf } from "../../runner/errors.ts";
import type { Log } from "../log.ts";
import type { Capability } from "../profiles/capability.ts";
import type { SchedulableHost, Scheduler } from "../scheduler/scheduler.ts";
import type { Store } from "../store/store.ts";
import type { HostPlaces } from "./host-places.ts";

export type HostWatch = Disposable & {
  /**
   * Looks at all hosts, and tells the scheduler. One that takes long keeps nobody waiting once another can run jobs: it is closed meanwhile, and opens
   * when it has answered.
   */
  probe(signal: AbortSignal): Promise<void>;
  /** Something failed on a host: it is looked at now. */
  doubt(name: string): void;
  /**
   * Has a host looked at, and resolves once it has answered a look that began after this was called. `onProblem` hears why it did not, each time
   * that changes.
   *
   * @throws The signal's reason when it is aborted.
   */
  answers(
    name: string,
    options: { onProblem(why: string): void; readonly signal: AbortSignal },
  ): Promise<void>;
  /** Tells the scheduler what hosts have found out since they were looked at: GPUs that others took. */
  retell(): Promise<void>;
  /** False when there is no such host. */
  setDrained(name: string, isDrained: boolean): Promise<boolean>;
  /** No host takes a job from now on. */
  closeAll(why: string): void;
};

export type WatchHostsOptions = {
  readonly scheduler: Scheduler;
  readonly store: Store["hosts"];
  readonly log: Log;
  /** Done before a host that did not answer takes jobs again, as at the start: what it still has of jobs that were given up goes. */
  beforeOpen?(host: HostPlaces): Promise<void>;
  /** How long a host may take to answer before it is closed, in milliseconds. */
  readonly patienceMs?: number;
};

/** Somebody who needs a host to answer. */
type Waiter = {
  readonly name: string;
  /** Looks up to this one had begun before. */
  readonly after: number;
  readonly answered: () => void;
  onProblem(why: string): void;
};

/** With the time between two rounds a host that is gone is closed within half a minute. */
const PATIENCE_MS = 10_000;
const FIRST_PAUSE_MS = 500;

/** Keeps the scheduler's picture of the hosts: what they proved to have, and why one takes no jobs now. */
export function watchHosts(
  hosts: readonly HostPlaces[],
  { scheduler, store, log, beforeOpen, patienceMs = PATIENCE_MS }: WatchHostsOptions,
): HostWatch {
  const capabilities = new Map<string, Capability>();
  const problems = new Map<string, string>();
  const looking = new Map<string, Promise<void>>();
  /** Looked at again once the look that goes on is done. */
  const doubted = new Set<string>();
  const waiting = new Set<Waiter>();
  const stopping = new AbortController();
  let looks = 0;
  let closing: string | undefined;

  async function tell(): Promise<void> {
    const drained = new Set(closing === undefined ? await store.drained() : []);
    scheduler.setHosts(
      hosts.map((host): SchedulableHost => {
        const { name, slots } = host;
        const withheld = host.withheldGpus?.() ?? [];
        const shut = drained.has(name)
          ? `The host ${name} is drained: berth host undrain ${name} opens it.`
          : problems.get(name);
        const closed = closing ?? shut;
        const capability = capabilities.get(name);
        return { name, slots, capability, withheld, ...(closed !== undefined && { closed }) };
      }),
    );
  }

  async function look(host: HostPlaces, signal: AbortSignal): Promise<void> {
    const { name } = host;
    const number = ++looks;
    const patience = new AbortController();
    void slowness(host, AbortSignal.any([signal, patience.signal]));
    try {
      const capability = await host.probe(signal);
      patience.abort();
      const isOpen = capabilities.has(name) && !problems.has(name);
      if (!isOpen) await beforeOpen?.(host);
      capabilities.set(name, capability);
      await store.remember(name, capability, Date.now());
      if (problems.delete(name)) log.info({ host: name }, "host answers again");
    } catch (error) {
      if (signal.aborted) return;
      close(name, textOf(error));
    } finally {
      patience.abort();
    }
    await tell();
    if (problems.has(name)) return;
    for (const one of waiting) if (one.name === name && one.after < number) one.answered();
  }

  async function slowness({ name }: HostPlaces, signal: AbortSignal): Promise<void> {
    await sleep(patienceMs, undefined, { signal, ref: false }).catch(() => {});
    if (signal.aborted) return;
    close(name, `The host ${name} has not answered for ${Math.round(patienceMs / 1000)} s.`);
    await tell();
  }

  function close(name: string, why: string): void {
    if (problems.get(name) === why) return;
    log.warn({ host: name, why }, "host takes no jobs");
    problems.set(name, why);
    for (const one of waiting) if (one.name === name) one.onProblem(why);
  }

  /** The look that goes on, else a new one. */
  function lookOnce(host: HostPlaces, signal: AbortSignal): Promise<void> {
    const { name } = host;
    const going = looking.get(name);
    if (going !== undefined) return going;
    doubted.delete(name);
    const look_ = look(host, signal).finally(() => {
      looking.delete(name);
      if (doubted.has(name) && !stopping.signal.aborted) void lookOnce(host, stopping.signal);
    });
    looking.set(name, look_);
    return look_;
  }

  function doubt(name: string): void {
    const host = hosts.find((one) => one.name === name);
    if (host === undefined || stopping.signal.aborted) return;
    doubted.add(name);
    if (!looking.has(name)) void lookOnce(host, stopping.signal);
  }

  async function answers(
    name: string,
    { onProblem, signal }: Parameters<HostWatch["answers"]>[1],
  ): Promise<void> {
    const answered = new AbortController();
    const waiter: Waiter = { name, after: looks, answered: () => answered.abort(), onProblem };
    const until = AbortSignal.any([signal, answered.signal]);
    waiting.add(waiter);
    try {
      const problem = problems.get(name);
      if (problem !== undefined) onProblem(problem);
      // Looked at more often than others: somebody waits.
      for (let pauseMs = FIRST_PAUSE_MS; !until.aborted; pauseMs = Math.min(pauseMs * 2, 5000)) {
        doubt(name);
        await sleep(pauseMs, undefined, { signal: until }).catch(() => {});
      }
      if (!answered.signal.aborted) throw signal.reason;
    } finally {
      waiting.delete(waiter);
    }
  }

  const listening = hosts.flatMap((host) => {
    const heard = host.onChange?.((lost) => {
      if (lost !== undefined) {
        close(host.name, textOf(lost));
        void tell();
      }
      doubt(host.name);
    });
    return heard === undefined ? [] : [heard];
  });

  return {
    closeAll(why) {
      closing = why;
      void tell();
    },
    doubt,
    answers,
    retell: tell,
    async probe(signal) {
      // Each by itself: one that takes its time, or prepares its image, keeps no other closed.
      const all = Promise.all(hosts.map((host) => lookOnce(host, signal)));
      const patience = new AbortController();
      const ended = AbortSignal.any([signal, patience.signal]);
      const enough = async () => {
        await sleep(patienceMs, undefined, { signal: ended, ref: false }).catch(() => {});
        // A service without any host has nothing to do but to wait for the first.
        if (capabilities.size === 0) await all;
      };
      await Promise.race([all, enough()]).finally(() => patience.abort());
      await tell();
    },
    async setDrained(name, isDrained) {
      if (!hosts.some((host) => host.name === name)) return false;
      await store.setDrained(name, isDrained);
      await tell();
      return true;
    },
    [Symbol.dispose]() {
      stopping.abort();
      for (const one of listening) one[Symbol.dispose]();
    },
  };
}
