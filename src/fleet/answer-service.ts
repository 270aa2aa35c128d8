import { setTimeout as sleep } from "node:timers/promises";
import type { Scheduler } from "../scheduler/scheduler.ts";
import type { ServiceApi } from "../server/service-api.ts";
import { jobFolder } from "../store/job-folder.ts";
import { readJobLog } from "../store/read-job-log.ts";
import type { JobRecord, LeaseRecord } from "../store/records.ts";
import type { Store } from "../store/store.ts";
import { executionId, executionJobId } from "./execution-id.ts";
import type { Fleet } from "./fleet.ts";
import type { HostPlaces } from "./host-places.ts";
import type { JobControl } from "./job-controls.ts";
import { jobShell } from "./job-shell.ts";
import type { KeptJobs } from "./kept-jobs.ts";
import { keptText } from "./kept-text.ts";
import { describeLost } from "./lost-leases.ts";
import type { HostWatch } from "./watch-hosts.ts";

const LOOK_AGAIN_MS = 100;

export type AnswerDeps = {
  readonly store: Store;
  readonly storeFolder: string;
  readonly fleet: Fleet;
  readonly kept: Pick<KeptJobs, "record" | "records" | "end">;
  readonly scheduler: Scheduler;
  readonly hostWatch: HostWatch;
  hostOf(name: string): HostPlaces | undefined;
  readonly heartbeats: ServiceApi["heartbeats"];
};

/** What the service answers to commands: all of it from the store, which knows as much after a restart as before. */
export function answerService(deps: AnswerDeps): ServiceApi {
  const { store, storeFolder, fleet, kept, scheduler, hostWatch, hostOf, heartbeats } = deps;
  // Why a job waits changes too often to be kept each time.
  const asOfNow = (job: JobRecord) => {
    const { kept: _, ...known } = fleet.controls.get(job.id)?.keeper.record ?? job;
    const now = kept.record(job.id)?.kept;
    return { ...known, ...(now && { kept: now }) };
  };
  // Checks have the id of a try.
  const jobOf = async (id: string) => {
    const job = await store.jobs.get(executionJobId(id));
    return job && asOfNow(job);
  };
  return {
    async jobs(wanted) {
      const listed = (await store.jobs.list(wanted)).map(asOfNow);
      const others = kept.records().filter(({ id }) => !listed.some((job) => job.id === id));
      return wanted.isOpen ? [...listed, ...others] : listed;
    },
    async job(id) {
      const job = await jobOf(id);
      return job && { job, history: await store.history.ofJob(id) };
    },
    async why(id) {
      const job = await jobOf(id);
      return job && (await explainJob(job, { store, lost: scheduler.lost() }));
    },
    async shell(id, by) {
      const job = await jobOf(id);
      if (job === undefined) return undefined;
      const place = await jobShell(job, hostOf);
      if ("refused" in place) return place;
      // Before they are in: what is not told did not happen.
      const message = `${by} opens a shell in its container.`;
      await store.history.add({ jobId: id, atMs: Date.now(), message });
      return place;
    },
    cancel: async (id, by) => (await kept.end(id, by)) || (await fleet.cancel(id, by)),
    async log(id, options) {
      const job = await store.jobs.get(id);
      if (job === undefined) return undefined;
      const execution = executionId(job);
      const told = linesOf(readJobLog(jobFolder(storeFolder, execution), options));
      return withWayIn(told, async () => {
        if (options.follow) await ended(execution, () => fleet.controls.get(id), options.signal);
        return kept.record(id);
      });
    },
    hosts: async () => scheduler.hosts(),
    setDrained: (host, isDrained) => hostWatch.setDrained(host, isDrained),
    heartbeats,
  };
}

/** Sentences: how the job is, why, and how it came there. */
async function explainJob(
  job: JobRecord,
  { store, lost }: { readonly store: Store; readonly lost: readonly LeaseRecord[] },
): Promise<string[]> {
  const history = await store.history.ofJob(job.id);
  const past = history.map(({ atMs, message }) => `${new Date(atMs).toISOString()} ${message}`);
  // A container that is kept for a look is told of with the job.
  const kept = lost.flatMap((lease) => {
    const { execution = "", isKept } = lease.lost ?? {};
    return isKept || executionJobId(execution) !== job.id ? [] : [describeLost(lease)];
  });
  return [stateOf(job), ...kept, ...past];
}

function stateOf(job: JobRecord): string {
  const { id, name, state, reason, conclusion, host, retries, kept } = job;
  const again = retries > 0 ? ` It is try ${retries + 1}.` : "";
  switch (state) {
    case "queued":
      return `${name} waits. ${reason ?? "It is about to be placed."}${again}`;
    case "running":
      return `${name} runs on ${host}.${again} ${reason ?? ""}`.trim();
    case "completed":
      return [
        `${name} has ended: ${conclusion}. ${reason ?? ""}${again}`.trim(),
        ...(kept === undefined ? [] : [`It is ${keptText(id, kept).phrase}.`]),
      ].join(" ");
    default:
      return state satisfies never;
  }
}

/** The last thing that a log says is how to get in, for as long as that can be done. */
async function* withWayIn(
  lines: AsyncIterable<string>,
  record: () => Promise<JobRecord | undefined>,
): AsyncGenerator<string> {
  yield* lines;
  const job = await record();
  if (job?.kept === undefined) return;
  const { sentences, commands } = keptText(job.id, job.kept);
  yield sentences;
  for (const command of commands) yield `  ${command}`;
}

/** Between the last line of a try and its end what it had is removed, or kept. */
async function ended(
  execution: string,
  control: () => JobControl | undefined,
  signal: AbortSignal,
): Promise<void> {
  const isEnding = (record: JobRecord | undefined) =>
    record?.state === "running" && executionId(record) === execution;
  while (!signal.aborted && isEnding(control()?.keeper.record)) {
    await sleep(LOOK_AGAIN_MS, undefined, { signal }).catch(() => {});
  }
}

async function* linesOf(events: ReturnType<typeof readJobLog>): AsyncGenerator<string> {
  for await (const event of events) if (event.type === "log") yield event.line;
}
