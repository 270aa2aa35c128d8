import { afterEach, beforeEach, expect, it } from "@jest/globals";
import { clearRemains, freeLostLeases } from "../../../src/fleet/lost-leases.ts";
import { reapLeases } from "../../../src/fleet/reap.ts";
import { openScheduler } from "../../../src/scheduler/open-scheduler.ts";
import { openStore } from "../../../src/store/open-store.ts";
import type { Store } from "../../../src/store/store.ts";
import { aHost, gpusOf } from "../scheduler/scheduler-world.ts";
import { temporaryFolder } from "../store/records.ts";
import { quietLog } from "./quiet-log.ts";

const { signal } = new AbortController();
const need = { gpus: 1, rootless: false, dind: false };
let folder: ReturnType<typeof temporaryFolder>;
let store: Store;

beforeEach(async () => {
  folder = temporaryFolder();
  store = await openStore(folder.path);
});
afterEach(async () => {
  await store[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

/** A machine that can be lost, with what runs on it. */
function machine(...running: string[]) {
  const state = { isThere: true, remains: new Set(running) };
  return {
    state,
    async removeJob(id: string) {
      if (state.isThere) state.remains.delete(id);
    },
    async jobsWithRemains() {
      if (!state.isThere) throw new Error("no way to the machine");
      return [...state.remains];
    },
  };
}

async function scheduling(...names: string[]) {
  const hosts = names.map((name) => aHost(name, { slots: 2, gpus: gpusOf(name, 1) }));
  const scheduler = await openScheduler({ store: store.leases, hosts, limits: {} });
  const place = (jobId: string, onWait: (reason: string) => void = () => {}) =>
    scheduler.place(
      { jobId, need, repository: "acme/app", priority: 0, readyAtMs: 0 },
      { onWait, signal },
    );
  const freeGpus = () => scheduler.hosts().flatMap(({ free }) => free.gpus).length;
  return { scheduler, place, freeGpus };
}

const later = () => Date.now() + 60_000;

it("keeps the GPU of a job that was lost with its host from others, while the job runs elsewhere", async () => {
  const { scheduler, place } = await scheduling("a", "b");
  const lost = await place("job");
  await lost.keepLost({ execution: "job", untilMs: later() });
  await lost[Symbol.asyncDispose]();

  const again = await place("job");
  const waits = Promise.withResolvers<string>();
  const other = place("other", waits.resolve);

  expect(again.record.host).not.toBe(lost.record.host);
  expect(await waits.promise).toMatch(/job \(lost\)/);
  await again[Symbol.asyncDispose]();
  expect((await other).record.host).toBe(again.record.host);
  expect(scheduler.lost()).toMatchObject([{ host: lost.record.host, lost: { execution: "job" } }]);
});

it("frees it once the host says that nothing is left, and not before", async () => {
  const { scheduler, place, freeGpus } = await scheduling("a");
  const host = machine("job", "another");
  const free = () => freeLostLeases({ scheduler, hostOf: () => host, log: quietLog() }, "a");
  await (await place("job")).keepLost({ execution: "job", untilMs: later() });

  host.state.isThere = false;
  await free();
  const whileLost = freeGpus();
  host.state.isThere = true;
  await free();

  expect(whileLost).toBe(0);
  expect(freeGpus()).toBe(1);
  expect([...host.state.remains]).toEqual(["another"]);
  expect(await store.leases.all()).toEqual([]);
});

it("frees it when its container has ended itself by now, of a host that is gone for good too", async () => {
  const { scheduler, place, freeGpus } = await scheduling("a");
  await (await place("job")).keepLost({ execution: "job", untilMs: 1000 });
  const freeAt = (now: number) =>
    freeLostLeases({ scheduler, hostOf: () => undefined, log: quietLog(), now: () => now });

  await freeAt(999);
  const before = freeGpus();
  await freeAt(1001);

  expect([before, freeGpus()]).toEqual([0, 1]);
});

it("frees it once its machine was started anew, though no engine answers there yet", async () => {
  const { scheduler, place, freeGpus } = await scheduling("a");
  const host = machine("job");
  host.state.isThere = false;
  let boot: string | undefined;
  const asked = { ...host, bootId: async () => boot };
  const free = () => freeLostLeases({ scheduler, hostOf: () => asked, log: quietLog() }, "a");
  await (await place("job")).keepLost({ execution: "job", untilMs: later(), bootId: "first" });

  const seen: number[] = [];
  for (boot of [undefined, "first", "second"]) {
    await free();
    seen.push(freeGpus());
  }

  expect(seen).toEqual([0, 0, 1]);
});

it("is kept over restarts of the service", async () => {
  const first = await scheduling("a");
  await (await first.place("job")).keepLost({ execution: "job", untilMs: later() });

  await reapLeases({ store, log: quietLog() });
  const second = await scheduling("a");

  expect(second.scheduler.lost()).toHaveLength(1);
  expect(second.freeGpus()).toBe(0);
});

it("takes no answer for none, however long it takes", async () => {
  const silent = { ...machine(), jobsWithRemains: () => new Promise<string[]>(() => {}) };

  expect(await clearRemains(silent, "job", 1)).toBe(false);
  expect(await clearRemains(machine("job"), "job")).toBe(true);
});
