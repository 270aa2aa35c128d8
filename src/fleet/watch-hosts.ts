import { textOf } from "../../runner/errors.ts";
import type { Log } from "../log.ts";
import type { Capability } from "../profiles/capability.ts";
import type { SchedulableHost, Scheduler } from "../scheduler/scheduler.ts";
import type { Store } from "../store/store.ts";
import type { HostPlaces } from "./host-places.ts";

export type HostWatch = {
  /** Looks at all hosts, and tells the scheduler. */
  probe(signal: AbortSignal): Promise<void>;
  /** False when there is no such host. */
  setDrained(name: string, isDrained: boolean): Promise<boolean>;
  /** No host takes a job from now on. */
  closeAll(why: string): void;
};

/** Keeps the scheduler's picture of the hosts: what they proved to have, and why one takes no jobs now. */
export function watchHosts(
  hosts: readonly HostPlaces[],
  { scheduler, store, log }: { scheduler: Scheduler; store: Store["hosts"]; log: Log },
): HostWatch {
  const capabilities = new Map<string, Capability>();
  const problems = new Map<string, string>();
  let closing: string | undefined;

  async function tell(): Promise<void> {
    const drained = new Set(closing === undefined ? await store.drained() : []);
    scheduler.setHosts(
      hosts.map(({ name, slots }): SchedulableHost => {
        const shut = drained.has(name)
          ? `The host ${name} is drained: berth host undrain ${name} opens it.`
          : problems.get(name);
        const closed = closing ?? shut;
        const capability = capabilities.get(name);
        return { name, slots, capability, ...(closed !== undefined && { closed }) };
      }),
    );
  }

  async function look(host: HostPlaces, signal: AbortSignal): Promise<void> {
    const before = problems.get(host.name);
    try {
      capabilities.set(host.name, await host.probe(signal));
      problems.delete(host.name);
      if (before !== undefined) log.info({ host: host.name }, "host answers again");
    } catch (error) {
      if (signal.aborted) return;
      const why = textOf(error);
      problems.set(host.name, why);
      if (before !== why) log.warn({ host: host.name, why }, "host takes no jobs");
    }
  }

  return {
    closeAll(why) {
      closing = why;
      void tell();
    },
    async probe(signal) {
      // Each by itself: one that takes its time, or prepares its image, keeps no other closed.
      await Promise.all(hosts.map((host) => look(host, signal).then(tell)));
    },
    async setDrained(name, isDrained) {
      if (!hosts.some((host) => host.name === name)) return false;
      await store.setDrained(name, isDrained);
      await tell();
      return true;
    },
  };
}
