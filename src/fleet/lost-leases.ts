import { setTimeout as sleep } from "node:timers/promises";
import { textOf } from "../../runner/errors.ts";
import type { Log } from "../log.ts";
import type { Scheduler } from "../scheduler/scheduler.ts";
import type { LeaseRecord } from "../store/records.ts";
import type { HostPlaces } from "./host-places.ts";

const ANSWER_PATIENCE_MS = 30_000;

/**
 * Removes what is left of a job on a host. True once it is certain that nothing of it runs there: the host says so. One that cannot be asked, or
 * hangs, makes nothing certain.
 */
export async function clearRemains(
  host: Pick<HostPlaces, "removeJob" | "jobsWithRemains">,
  execution: string,
  patienceMs = ANSWER_PATIENCE_MS,
): Promise<boolean> {
  const patience = new AbortController();
  const silence = sleep(patienceMs, false, { signal: patience.signal, ref: false });
  silence.catch(() => {}); // given up once the answer is there
  const answer = async () => {
    await host.removeJob(execution);
    return !(await host.jobsWithRemains()).includes(execution);
  };
  try {
    return await Promise.race([answer().catch(() => false), silence]);
  } finally {
    patience.abort();
  }
}

/**
 * Frees the leases of jobs that were given up with their host, as far as it is certain that nothing of them runs any more: their host has said so,
 * or their containers have ended themselves by now.
 *
 * @param of Only those of this host are looked at, which answers; left out: all of them.
 */
export async function freeLostLeases(
  {
    scheduler,
    hostOf,
    log,
    now = Date.now,
  }: {
    readonly scheduler: Pick<Scheduler, "lost" | "freeLost">;
    hostOf(name: string): Pick<HostPlaces, "removeJob" | "jobsWithRemains" | "bootId"> | undefined;
    readonly log: Log;
    now?(): number;
  },
  of?: string,
): Promise<void> {
  const lost = scheduler.lost().filter(({ host }) => of === undefined || host === of);
  await Promise.all(
    lost.map(async (lease) => {
      const why = await whyFree(lease);
      if (why === undefined) return;
      log.info({ host: lease.host, job: lease.lost?.execution, why }, "lost lease is free again");
      await scheduler.freeLost(lease).catch((error: unknown) => {
        log.warn({ host: lease.host, error: textOf(error) }, "lost lease not freed yet");
      });
    }),
  );

  async function whyFree({ host: name, lost }: LeaseRecord): Promise<string | undefined> {
    if (lost === undefined) return undefined;
    if (now() > lost.untilMs) return "its time has passed";
    const host = hostOf(name);
    if (lost.isKept) return undefined; // `KeptJobs` has it
    if (host === undefined) return undefined; // it may come back into the configuration
    // Even where its engine does not run yet: nothing outlives a restart of the machine, and containers of ours are not started again.
    const bootId = lost.bootId === undefined ? undefined : await host.bootId?.();
    if (bootId !== undefined && bootId !== lost.bootId) return "its machine was started anew";
    return (await clearRemains(host, lost.execution)) ? "nothing of it is left" : undefined;
  }
}

/** What is leased to a job that was given up, and until when, in a sentence. */
export function describeLost({ host, gpus, lost }: LeaseRecord): string {
  const { execution = "", untilMs = 0 } = lost ?? {};
  const what = gpus.length === 0 ? "" : ` (${gpus.join(", ")})`;
  const until = new Date(untilMs).toISOString().slice(0, 16).replace("T", " ");
  return `What it was leased on ${host}${what} is kept until nothing of ${execution} runs there any more, at the latest ${until} UTC.`;
}
