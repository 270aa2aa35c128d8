import { join } from "node:path";
import type { JobDescription } from "../../../runner/job/job-description.ts";
import type { JobEvent } from "../../../runner/job/job-event.ts";
import type { HostPlaces } from "../../../src/fleet/host-places.ts";
import { JobKeeper } from "../../../src/fleet/job-keeper.ts";
import type { AdmittedJob, RunJobDeps } from "../../../src/fleet/run-job.ts";
import type { JobReport } from "../../../src/fleet/run-leg.ts";
import { openLocalHost } from "../../../src/local-host.ts";
import { openScheduler } from "../../../src/scheduler/open-scheduler.ts";
import type { Scheduler } from "../../../src/scheduler/scheduler.ts";
import { jobFolder } from "../../../src/store/job-folder.ts";
import { openJobJournal } from "../../../src/store/job-journal.ts";
import { openStore } from "../../../src/store/open-store.ts";
import type { JobRecord } from "../../../src/store/records.ts";
import type { Store } from "../../../src/store/store.ts";
import { aHost, gpusOf } from "../scheduler/scheduler-world.ts";
import { aJob as aRecord, aRun, temporaryFolder } from "../store/records.ts";
import { quietLog } from "./quiet-log.ts";

const NO_ACTIONS = { fetch: () => Promise.reject(new Error("no actions here")) };

/** What a job told of itself. */
export type ToldReport = JobReport & {
  readonly said: string[];
  readonly lines: string[];
  /** Resolves when a line of the job's log is this. */
  line(text: string): Promise<void>;
};

export function toldReport(): ToldReport {
  const said: string[] = [];
  const lines: string[] = [];
  const awaited = new Map<string, () => void>();
  const hear = (event: JobEvent) => {
    if (event.type !== "log") return;
    lines.push(event.line);
    awaited.get(event.line)?.();
  };
  return {
    ...{ said, lines, hear },
    waiting: (reason) => void said.push(`waits: ${reason}`),
    interrupted: (why) => void said.push(why ?? "goes on"),
    async recall(told) {
      said.push("recalls");
      for await (const event of told) hear(event);
    },
    restart: () => void said.push("restarts"),
    finished: () => void said.push("finished"),
    retell: () => void said.push("tells again"),
    close: async () => void said.push("closed"),
    line(text) {
      const { promise, resolve } = Promise.withResolvers<void>();
      awaited.set(text, resolve);
      return promise;
    },
  };
}

/** One life of a service with a host of one GPU, on this machine and without an engine. */
export type JobWorld = AsyncDisposable & {
  readonly store: Store;
  readonly scheduler: Scheduler;
  readonly host: HostPlaces;
  /** Tokens that were given out and not revoked. */
  readonly tokens: Set<string>;
  readonly deps: Omit<RunJobDeps, "report">;
  freeGpus(): number;
  keeper(record: Partial<JobRecord>): Promise<JobKeeper>;
};

export async function openJobWorld(path: string): Promise<JobWorld> {
  const store = await openStore(path);
  const log = quietLog();
  const hosts = [aHost("here", { slots: 2, gpus: gpusOf("here", 1) })];
  const scheduler = await openScheduler({ store: store.leases, hosts, limits: {} });
  const host = await openLocalHost({
    ...{ name: "here", slots: 2, folder: join(path, "places"), env: process.env },
    ...{ connect: {} as Parameters<typeof openLocalHost>[0]["connect"], log },
  });
  const tokens = new Set<string>();
  await store.runs.put(aRun("7-1"));

  return {
    ...{ store, scheduler, host, tokens },
    deps: {
      place: (...asked) => scheduler.place(...asked),
      hostOf: (name) => (name === host.name ? host : undefined),
      openJournal: (id) => openJobJournal(jobFolder(path, id)),
      async openTokens(_job, id) {
        const token = `token of ${id}`;
        return {
          ...{ earlier: [], missing: [] },
          async fresh() {
            tokens.add(token);
            return token;
          },
          [Symbol.asyncDispose]: async () => void tokens.delete(token),
        };
      },
      openActions: () => ({ ...NO_ACTIONS, [Symbol.asyncDispose]: async () => {} }),
      secretsFor: async () => ({}),
      lacks: () => [],
      guard: (open) => open,
      ...{ version: "test", log },
    },
    freeGpus: () => scheduler.hosts().flatMap(({ free }) => free.gpus).length,
    async keeper(record) {
      const keeper = new JobKeeper(aRecord("7-1.a", { name: "promise", ...record }), store);
      await keeper.change({});
      return keeper;
    },
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  };
}

/** A world in a folder that goes away. */
export async function temporaryWorld(): Promise<JobWorld & { readonly path: string }> {
  const folder = temporaryFolder();
  const world = await openJobWorld(folder.path);
  return {
    ...world,
    path: folder.path,
    async [Symbol.asyncDispose]() {
      await world[Symbol.asyncDispose]();
      folder[Symbol.dispose]();
    },
  };
}

export function admitted(description: JobDescription, given: Partial<AdmittedJob> = {}) {
  const need = { gpus: 1, rootless: false, dind: false };
  return {
    description: { ...description, name: "promise" },
    ...{ repository: "acme/app", need, priority: 0, retries: 0, ...given },
  };
}
