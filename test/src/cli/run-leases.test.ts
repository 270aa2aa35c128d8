import { describe, expect, it } from "@jest/globals";
import { openRunLeases } from "../../../src/cli/run-leases.ts";
import type { Capability } from "../../../src/profiles/capability.ts";

const GIB = 2 ** 30;
const signal = new AbortController().signal;
const quiet = { progress: () => {}, signal };

describe("what the labels of a job of `berth run` come to", () => {
  it("asks nothing of the machine where they lease nothing", async () => {
    const leases = openRunLeases(() => Promise.reject(new Error("not to be probed")));

    expect(await leases.take(["ubuntu-latest"], quiet)).toBeUndefined();
    expect(await leases.take(["self-hosted", "linux", "arm64", "big"], quiet)).toBeUndefined();
  });

  it("is a limit, beside labels that mean nothing here", async () => {
    const leases = openRunLeases(async () => machine());

    const taken = await leases.take(["ubuntu-latest", "cpu=1.5", "mem=1g"], quiet);

    expect(taken?.lease).toEqual({ cpus: 1.5, memoryBytes: GIB });
  });

  it.each([
    ["gpu", "this-one has no GPU"],
    ["rootless", "runs rootless"],
    ["host=other", "asks for the host other"],
    ["cpu=64", "has 4 CPUs"],
  ])("refuses %s in words where this machine has it not", async (label, words) => {
    const leases = openRunLeases(async () => machine());

    await expect(leases.take([label], quiet)).rejects.toMatchObject({
      code: "HOST_UNUSABLE",
      message: expect.stringContaining(words),
    });
  });

  it("gives each GPU to one job at a time", async () => {
    const leases = openRunLeases(async () => machine("GPU-1", "GPU-2"));
    const first = await leases.take(["gpu"], quiet);
    const told: string[] = [];

    const waiting = leases.take(["gpu=2"], { progress: (line) => told.push(line), signal });
    const second = await leases.take(["gpu"], quiet);
    expect([first?.lease.gpus, second?.lease.gpus]).toEqual([["GPU-1"], ["GPU-2"]]);
    expect(told).toHaveLength(1);
    first?.[Symbol.dispose]();
    second?.[Symbol.dispose]();

    expect((await waiting)?.lease.gpus).toEqual(["GPU-1", "GPU-2"]);
  });

  it("stops waiting for GPUs when the job is cancelled", async () => {
    const leases = openRunLeases(async () => machine("GPU-1"));
    await leases.take(["gpu"], quiet);
    const cancel = new AbortController();

    const waiting = leases.take(["gpu"], { progress: () => cancel.abort(), signal: cancel.signal });

    await expect(waiting).rejects.toMatchObject({ name: "AbortError" });
  });
});

function machine(...gpus: string[]): Capability {
  return {
    name: "this-one",
    arch: "x64",
    cpus: 4,
    memoryBytes: 8 * GIB,
    engines: [{ usable: true, rootless: false, enforcesLimits: true }],
    gpus: gpus.map((uuid) => ({
      vendor: "nvidia",
      uuid,
      model: "NVIDIA L4",
      memoryBytes: 24 * GIB,
      cuda: "12.4",
      mig: [],
      usable: true,
    })),
  };
}
