import { afterEach, beforeEach, expect, it } from "@jest/globals";
import type { HostPlaces } from "../../../src/fleet/host-places.ts";
import { JobKeeper } from "../../../src/fleet/job-keeper.ts";
import { KeptJobs, type LeftJob } from "../../../src/fleet/kept-jobs.ts";
import { freeLostLeases } from "../../../src/fleet/lost-leases.ts";
import { openScheduler } from "../../../src/scheduler/open-scheduler.ts";
import type { Scheduler } from "../../../src/scheduler/scheduler.ts";
import { openStore } from "../../../src/store/open-store.ts";
import type { Store } from "../../../src/store/store.ts";
import { aHost, gpusOf } from "../scheduler/scheduler-world.ts";
import { aJob, aRun, temporaryFolder } from "../store/records.ts";
import { quietLog } from "./quiet-log.ts";

const { signal } = new AbortController();
const need = { gpus: 1, rootless: false, dind: false };
const LOGIN = { ssh: "ssh -p 2222 runner@here" };
const HOUR_MS = 3_600_000;

let folder: ReturnType<typeof temporaryFolder>;
let store: Store;
let scheduler: Scheduler;
let jobs: KeptJobs;
let host: HostPlaces & { readonly remains: Set<string>; runs: boolean; readonly asked: unknown[] };
let ended: Promise<void>;

beforeEach(async () => {
  folder = temporaryFolder();
  store = await openStore(folder.path);
  await store.runs.put(aRun("7-1"));
  host = machine("7-1.a");
  await begin();
});
afterEach(async () => {
  jobs[Symbol.dispose]();
  await store[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

/** A life of the service. */
async function begin(): Promise<void> {
  const hosts = [aHost("here", { slots: 2, gpus: gpusOf("here", 1) })];
  scheduler = await openScheduler({ store: store.leases, hosts, limits: {} });
  const { promise, resolve } = Promise.withResolvers<void>();
  ended = promise;
  const log = quietLog();
  jobs = new KeptJobs({
    ...{ store, scheduler, hostOf: (name) => (name === "here" ? host : undefined) },
    keysOf: async (_, login) => (login === "octocat" ? ["ssh-ed25519 AAAA"] : []),
    retell: () => {},
    log: {
      ...log,
      info(...given: unknown[]) {
        if (given.at(-1) === "no longer kept for a look") resolve();
      },
    },
  });
}

/** A machine on which containers of these jobs are. */
function machine(...running: string[]) {
  const remains = new Set(running);
  const asked: unknown[] = [];
  const state = {
    ...{ name: "here", slots: 2, remains, runs: true, asked },
    removeJob: async (id: string) => void remains.delete(id),
    jobsWithRemains: async () => [...remains],
    keeping: {
      hold: async (id: string, seconds: number) => {
        asked.push([id, seconds]);
        return state.runs;
      },
      logIn: async (_: string, { keys }: { keys: readonly string[] }) => {
        asked.push(keys);
        return LOGIN;
      },
    },
  };
  return state as unknown as typeof host;
}

/** A job that has failed and whose container was left; `told` resolves when its check is to be told more. */
async function left(terms: LeftJob["terms"]) {
  const keeper = new JobKeeper(aJob("7-1.a", { state: "running", host: "here" }), store);
  await keeper.change({});
  const request = { jobId: "7-1.a", need, repository: "acme/app", priority: 0, readyAtMs: 0 };
  const lease = await scheduler.place(request, { onWait: () => {}, signal });
  const claims = new AsyncDisposableStack();
  const { promise: told, resolve: retell } = Promise.withResolvers<void>();
  return { keeper, host, lease, terms, claims, retell, told };
}

const freeGpus = () => scheduler.hosts().flatMap(({ free }) => free.gpus).length;

it("keeps a container with what was leased to it, until somebody ends that", async () => {
  const job = await left({ ms: HOUR_MS, keys: { ofUser: "octocat" } });

  const isKept = await jobs.keep(job);
  await job.lease[Symbol.asyncDispose]();
  await job.told;
  await freeLostLeases({ scheduler, hostOf: () => host, log: quietLog() });
  const during = { freeGpus: freeGpus(), remains: [...host.remains], kept: job.keeper.record.kept };
  const wasEnded = await jobs.end("7-1.a", "anna");

  expect([isKept, wasEnded, await jobs.end("7-1.a", "anna")]).toEqual([true, true, false]);
  expect(during).toMatchObject({ freeGpus: 0, remains: ["7-1.a"], kept: { login: LOGIN } });
  expect(host.asked).toEqual([["7-1.a", 3600], ["ssh-ed25519 AAAA"]]);
  expect({ freeGpus: freeGpus(), remains: host.remains.size }).toEqual({ freeGpus: 1, remains: 0 });
  expect(job.claims.disposed).toBe(true);
  expect(await store.jobs.get("7-1.a")).not.toHaveProperty("kept");
  expect((await store.history.ofJob("7-1.a")).map(({ message }) => message)).toEqual([
    expect.stringMatching(/^Its container is kept for a look until \d\d:\d\d UTC\.$/),
    "anna ended the look into its container, which is removed.",
  ]);
});

it("removes it when its time is over", async () => {
  const job = await left({ ms: 1, keys: [] });

  await jobs.keep(job);
  await ended;

  expect({ freeGpus: freeGpus(), remains: host.remains.size }).toEqual({ freeGpus: 1, remains: 0 });
});

it("keeps it in the next life of the service, too, and no longer than was said", async () => {
  await jobs.keep(await left({ ms: HOUR_MS, keys: [] }));
  jobs[Symbol.dispose]();

  await begin();
  await jobs.resume();
  const isKept = jobs.has("7-1.a");
  const [lease] = await store.leases.all();
  if (lease?.lost) {
    const lost = { ...lease.lost, untilMs: Date.now() - 1 };
    await store.leases.replace(lease.jobId, { ...lease, lost });
  }
  jobs[Symbol.dispose]();
  await begin();
  await jobs.resume();
  await ended;

  expect(isKept).toBe(true);
  expect({ freeGpus: freeGpus(), remains: host.remains.size }).toEqual({ freeGpus: 1, remains: 0 });
});

it("keeps none that does not run any more", async () => {
  host.runs = false;
  const job = await left({ ms: HOUR_MS, keys: [] });

  expect(await jobs.keep(job)).toBe(false);
  await job.lease[Symbol.asyncDispose]();

  expect(jobs.has("7-1.a")).toBe(false);
  expect(freeGpus()).toBe(1);
});

it("says that nobody can log in whose keys GitHub does not have", async () => {
  const job = await left({ ms: HOUR_MS, keys: { ofUser: "stranger" } });

  await jobs.keep(job);
  await job.told;

  expect(job.keeper.record.kept?.login).toEqual({
    problem: "stranger has no SSH keys on GitHub.",
  });
});
