import { describe, expect, it } from "@jest/globals";
import type { LeaseRecord } from "../../../src/store/records.ts";
import { aHost, aRequest, GIB, gpusOf, memoryLeases, openWorld } from "./scheduler-world.ts";

const ONE_GPU = { gpus: 1 };

/** The same machine with its system engine and its rootless one. */
function twoEngines({ gpus = 2, cpus = 4, slots = 3 } = {}) {
  const machine = { machineId: "m-1", cpus, memoryBytes: 8 * GIB, gpus: gpusOf("m", gpus), slots };
  const engine = { usable: true, enforcesLimits: true };
  return [
    aHost("system", { ...machine, engines: [{ ...engine, rootless: false }] }),
    aHost("rootless", { ...machine, engines: [{ ...engine, rootless: true }] }),
  ];
}

describe("two engines of one machine", () => {
  it("never give a GPU to two jobs, and the one that waits gets that which comes free on either", async () => {
    const world = await openWorld(twoEngines());
    await world.ask(aRequest("a", { need: { ...ONE_GPU, rootless: true } }));
    await world.ask(aRequest("b", { need: { ...ONE_GPU, host: "system" } }));
    await world.ask(aRequest("c", { need: { ...ONE_GPU, host: "system" } }));

    expect(world.reasons.get("c")).toContain("are leased to b and a");
    expect(given(world, "a", "b")).toEqual(["GPU-m-0", "GPU-m-1"]);
    await world.end("a");
    await until(() => world.leases.has("c"));

    expect(given(world, "c")).toEqual(["GPU-m-0"]);
  });

  it("share CPUs and memory, and not their slots", async () => {
    const world = await openWorld(twoEngines({ slots: 2 }));
    await world.ask(aRequest("a", { need: { cpus: 3, memoryBytes: 6 * GIB, host: "system" } }));
    await world.ask(aRequest("b", { need: { cpus: 2, host: "rootless" } }));
    await world.ask(aRequest("c", { need: { memoryBytes: 3 * GIB, host: "rootless" } }));
    await world.ask(aRequest("d", { need: { host: "rootless" } }));
    await world.ask(aRequest("e", { need: { host: "rootless" } }));

    expect(world.order).toEqual(["a", "d", "e"]);
    await world.end("d");
    await until(() => /unreserved/.test(world.reasons.get("b") ?? ""));

    expect(world.reasons.get("b")).toContain("has 1 of its 4 CPUs unreserved");
    expect(world.reasons.get("c")).toContain("has 2 GiB of its 8 GiB of memory unreserved");
    const free = world.scheduler.hosts().map((host) => [host.free.slots, host.free.cpus]);
    expect(free).toEqual([
      [1, 1],
      [1, 1],
    ]);
  });

  it("are one from when that is known, with what runs there already", async () => {
    const store = memoryLeases();
    for (const [jobId, host] of [
      ["a", "system"],
      ["b", "rootless"],
    ] as const) {
      store.rows.set(jobId, aLease({ jobId, host, gpus: ["GPU-m-0"] }));
    }
    const world = await openWorld([], { store });
    await world.ask(aRequest("a"));
    await world.ask(aRequest("b"));

    world.scheduler.setHosts(twoEngines());
    const known = world.scheduler.hosts().map(({ free }) => free.gpus);
    await world.end("a");
    const afterOne = world.scheduler.hosts().map(({ free }) => free.gpus);
    // Neither answers: they stay one machine.
    world.scheduler.setHosts(twoEngines().map((host) => ({ ...host, capability: undefined })));
    world.scheduler.setHosts(twoEngines());
    await world.end("b");

    expect([known, afterOne]).toEqual([
      [["GPU-m-1"], ["GPU-m-1"]],
      [["GPU-m-1"], ["GPU-m-1"]],
    ]);
    expect(world.scheduler.hosts().map(({ free }) => free.gpus.length)).toEqual([2, 2]);
  });
});

describe("a GPU that is withheld", () => {
  it("goes to nobody, and its reason is told; once it is not, it goes to who waits", async () => {
    const withheld = [{ uuid: "GPU-h-0", why: "is used by python (process 7), of no job" }];
    const gpus = gpusOf("h", 1);
    const world = await openWorld([aHost("h", { gpus, withheld })]);
    await world.ask(aRequest("a", { need: ONE_GPU }));

    expect(world.reasons.get("a")).toBe(
      "The GPU of h that it can use is not to be had: GPU-h-0 is used by python (process 7), of no job.",
    );
    world.scheduler.setHosts([aHost("h", { gpus })]);
    await until(() => world.leases.has("a"));

    expect(given(world, "a")).toEqual(["GPU-h-0"]);
  });

  it("leaves the others of its host to jobs, and is withheld on every engine of its machine", async () => {
    const [system, rootless] = twoEngines();
    const withheld = [{ uuid: "GPU-m-0", why: "left over" }];
    const world = await openWorld([{ ...system, withheld }, rootless].filter(isThere));
    await world.ask(aRequest("a", { need: { ...ONE_GPU, host: "rootless" } }));
    await world.ask(aRequest("b", { need: { ...ONE_GPU, host: "rootless" } }));

    expect(given(world, "a")).toEqual(["GPU-m-1"]);
    expect(world.reasons.get("b")).toContain("leased to a, or not to be had: GPU-m-0 left over");
  });

  it("is none of the whole GPU whose slices are asked for", async () => {
    const [gpu] = gpusOf("h", 1);
    const slices = [{ uuid: "MIG-1", profile: "1g.10gb" }];
    const gpus = gpu === undefined ? [] : [{ ...gpu, mig: slices }];
    const withheld = [{ uuid: "GPU-h-0", why: "claimed whole" }];
    const world = await openWorld([aHost("h", { gpus, withheld })]);
    await world.ask(aRequest("a", { need: { ...ONE_GPU, mig: "1g.10gb" } }));

    expect(world.reasons.get("a")).toContain("GPU-h-0 claimed whole");
  });
});

function aLease(lease: Pick<LeaseRecord, "jobId" | "host" | "gpus">): LeaseRecord {
  return { repository: "acme/app", cpus: 0, memoryBytes: 0, leasedAtMs: 0, ...lease };
}

type World = Awaited<ReturnType<typeof openWorld>>;

function given({ leases }: World, ...jobs: string[]): string[] {
  return jobs.flatMap((job) => leases.get(job)?.record.gpus ?? []);
}

function isThere<T extends object>(host: Partial<T> | undefined): host is T {
  return host !== undefined;
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve));
}
