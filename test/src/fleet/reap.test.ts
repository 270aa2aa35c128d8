import { afterEach, beforeEach, expect, it } from "@jest/globals";
import type { HostPlaces } from "../../../src/fleet/host-places.ts";
import { reapLeases, reapRemains } from "../../../src/fleet/reap.ts";
import { openStore } from "../../../src/store/open-store.ts";
import type { Store } from "../../../src/store/store.ts";
import { aJob, aLease, aRun, temporaryFolder } from "../store/records.ts";
import { quietLog } from "./quiet-log.ts";

let folder: ReturnType<typeof temporaryFolder>;
let store: Store;

beforeEach(async () => {
  folder = temporaryFolder();
  store = await openStore(folder.path);
  await store.runs.put(aRun("7-1"));
});
afterEach(async () => {
  await store[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

function hostWith(...remains: string[]): HostPlaces & { readonly remains: Set<string> } {
  const left = new Set(remains);
  return {
    ...{ name: "here", slots: 1, remains: left },
    probe: () => Promise.reject(new Error("not asked")),
    openPlace: () => () => Promise.reject(new Error("not asked")),
    jobsWithRemains: async () => [...left],
    removeJob: async (id) => void left.delete(id),
    [Symbol.asyncDispose]: async () => {},
  };
}

it("removes what is left of ended jobs, unknown jobs and earlier tries, and nothing else", async () => {
  await store.jobs.put(aJob("7-1.runs", { state: "running" }));
  await store.jobs.put(aJob("7-1.waits", { state: "queued" }));
  await store.jobs.put(aJob("7-1.ended", { state: "completed" }));
  await store.jobs.put(aJob("7-1.busy", { state: "completed" }));
  await store.jobs.put(aJob("7-1.again", { state: "running", retries: 1 }));
  const host = hostWith(
    ...["7-1.runs", "7-1.waits", "7-1.ended", "7-1.busy", "7-1.gone"],
    ...["7-1.again", "7-1.again.retry1"],
  );

  const removed = await reapRemains([host], {
    ...{ store, log: quietLog() },
    isBusy: (id) => id === "7-1.busy",
  });

  expect(removed).toEqual(["7-1.ended", "7-1.gone", "7-1.again"]);
  expect([...host.remains]).toEqual(["7-1.runs", "7-1.waits", "7-1.busy", "7-1.again.retry1"]);
});

it("goes on with the others when one host does not answer", async () => {
  const silent = { ...hostWith(), jobsWithRemains: () => Promise.reject(new Error("gone")) };
  const host = hostWith("7-1.gone");
  const log = quietLog();

  await reapRemains([silent, host], { store, log, isBusy: () => false });

  expect([...host.remains]).toEqual([]);
  expect(log.said).toContain("host not compared with the store");
});

it("gives back the leases of jobs that have ended or are gone", async () => {
  await store.jobs.put(aJob("7-1.runs", { state: "running" }));
  await store.jobs.put(aJob("7-1.ended", { state: "completed" }));
  for (const id of ["7-1.runs", "7-1.ended", "7-1.gone"]) await store.leases.add(aLease(id));

  await reapLeases({ store, log: quietLog() });

  expect((await store.leases.all()).map(({ jobId }) => jobId)).toEqual(["7-1.runs"]);
});
