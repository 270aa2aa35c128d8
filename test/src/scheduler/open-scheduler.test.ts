import { expect, it } from "@jest/globals";
import { aHost, aRequest, GIB, gpusOf, memoryLeases, openWorld } from "./scheduler-world.ts";

it("leaves GPUs to jobs that need them, and takes the smallest that do", async () => {
  const [big, small] = [gpusOf("big", 2, 80), gpusOf("small", 2, 24)];
  const world = await openWorld([
    aHost("big", { gpus: big }),
    aHost("small", { gpus: small }),
    aHost("plain"),
  ]);

  await world.ask(aRequest("no-gpu"));
  await world.ask(aRequest("any-gpu", { need: { gpus: 1 } }));
  await world.ask(aRequest("big-gpu", { need: { gpus: 1, gpuMemoryBytes: 40 * GIB } }));

  const placed = [...world.leases.values()].map(({ record: { host, gpus } }) => [host, gpus]);
  expect(placed).toEqual([
    ["plain", []],
    ["small", ["GPU-small-0"]],
    ["big", ["GPU-big-0"]],
  ]);
});

it("keeps a lease in the store before the job has it, and forgets it when it is given back", async () => {
  const world = await openWorld([aHost("here", { cpus: 8 })]);
  await world.ask(aRequest("job", { need: { cpus: 3 } }));

  expect(world.store.rows.get("job")).toMatchObject({ host: "here", cpus: 3, gpus: [] });
  expect(world.scheduler.hosts()).toMatchObject([{ free: { slots: 3, cpus: 5 } }]);

  await world.end("job");
  expect(world.store.rows.size).toBe(0);
  expect(world.scheduler.hosts()).toMatchObject([{ leases: [], free: { slots: 4, cpus: 8 } }]);
});

it("gives a job the lease of an earlier life at once, though its host has not answered and it was cancelled", async () => {
  const store = memoryLeases();
  const first = await openWorld([aHost("here")], { store });
  await first.ask(aRequest("job"));

  const hosts = [{ name: "here", slots: 1, capability: undefined }];
  const { scheduler } = await openWorld(hosts, { store });
  const signal = AbortSignal.abort();
  const lease = await scheduler.place(aRequest("job"), { onWait: () => {}, signal });

  expect(lease.record).toEqual(first.leases.get("job")?.record);
  await lease[Symbol.asyncDispose]();
  expect(store.rows.size).toBe(0);
});

it("counts a lease of an earlier life against its repository's limit before the job has asked for it", async () => {
  const store = memoryLeases();
  const first = await openWorld([aHost("here")], { store });
  await first.ask(aRequest("old"));

  const world = await openWorld([aHost("here")], { store, limits: { perRepository: 1 } });
  await world.ask(aRequest("new"));

  expect(world.leases.size).toBe(0);
  expect(world.reasons.get("new")).toContain("1 of the 1 jobs run");
});

it("leaves nothing of a job that is aborted while it waits", async () => {
  const world = await openWorld([aHost("here", { slots: 1 })]);
  await world.ask(aRequest("first"));
  await world.ask(aRequest("second"));

  await world.abort("second");
  await world.end("first");

  expect(world.errors.get("second")).toEqual(new Error("second was cancelled"));
  expect([world.store.rows.size, world.scheduler.hosts()[0]?.free.slots]).toEqual([0, 1]);
});

it("tells the one job that the store failed, and has its place for the next", async () => {
  const world = await openWorld([aHost("here", { slots: 1 })]);
  world.store.failing = true;
  await world.ask(aRequest("first"));
  world.store.failing = false;
  await world.ask(aRequest("first"));

  expect(world.errors.get("first")).toEqual(new Error("database is locked"));
  expect(world.leases.has("first")).toBe(true);

  world.store.failing = true;
  await expect(world.end("first")).rejects.toThrow("database is locked");
  world.store.failing = false;
  const next = await world.scheduler.place(aRequest("second"), {
    onWait: () => {},
    signal: new AbortController().signal,
  });
  expect(next.record.jobId).toBe("second");
  expect([...world.store.rows.keys()]).toEqual(["second"]);
});

it("does not place a job twice", async () => {
  const world = await openWorld([aHost("here")]);
  await world.ask(aRequest("job"));
  await world.ask(aRequest("job"));

  expect(world.errors.get("job")).toEqual(new Error("The job job waits or runs already."));
});
