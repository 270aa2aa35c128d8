import { describe, expect, it } from "@jest/globals";
import { openRunLeases, type RunGpus } from "../../../src/cli/run-leases.ts";
import type { Capability } from "../../../src/profiles/capability.ts";

const GIB = 2 ** 30;
const signal = new AbortController().signal;
const quiet = { progress: () => {}, signal };

/** Nobody else runs jobs on the machine. */
const alone: RunGpus = {
  withheld: async () => [],
  claim: async () => ({ [Symbol.asyncDispose]: async () => {} }),
};

describe("what the labels of a job of `berth run` come to", () => {
  it("asks nothing of the machine where they lease nothing", async () => {
    const leases = openRunLeases(() => Promise.reject(new Error("not to be probed")), alone);

    expect(await leases.take({ id: "job", labels: ["ubuntu-latest"] }, quiet)).toBeUndefined();
    expect(
      await leases.take({ id: "job", labels: ["self-hosted", "linux", "arm64", "big"] }, quiet),
    ).toBeUndefined();
  });

  it("is a limit, beside labels that mean nothing here", async () => {
    const leases = openRunLeases(async () => machine(), alone);

    const taken = await leases.take(
      { id: "job", labels: ["ubuntu-latest", "cpu=1.5", "mem=1g"] },
      quiet,
    );

    expect(taken?.lease).toEqual({ cpus: 1.5, memoryBytes: GIB });
  });

  it.each([
    ["gpu", "this-one has no GPU"],
    ["rootless", "runs rootless"],
    ["host=other", "asks for the host other"],
    ["cpu=64", "has 4 CPUs"],
  ])("refuses %s in words where this machine has it not", async (label, words) => {
    const leases = openRunLeases(async () => machine(), alone);

    await expect(leases.take({ id: "job", labels: [label] }, quiet)).rejects.toMatchObject({
      code: "HOST_UNUSABLE",
      message: expect.stringContaining(words),
    });
  });

  it("gives each GPU to one job at a time", async () => {
    const leases = openRunLeases(async () => machine("GPU-1", "GPU-2"), alone);
    const first = await leases.take({ id: "job", labels: ["gpu"] }, quiet);
    const told: string[] = [];

    const waiting = leases.take(
      { id: "job", labels: ["gpu=2"] },
      { progress: (line) => told.push(line), signal },
    );
    const second = await leases.take({ id: "job", labels: ["gpu"] }, quiet);
    expect([first?.lease.gpus, second?.lease.gpus]).toEqual([["GPU-1"], ["GPU-2"]]);
    expect(told).toHaveLength(1);
    await first?.[Symbol.asyncDispose]();
    await second?.[Symbol.asyncDispose]();

    expect((await waiting)?.lease.gpus).toEqual(["GPU-1", "GPU-2"]);
  });

  it("passes over a GPU that others have, also one that was free a moment ago", async () => {
    const claimed: (readonly string[])[] = [];
    const leases = openRunLeases(async () => machine("GPU-1", "GPU-2", "GPU-3"), {
      withheld: async () => [{ uuid: "GPU-1", why: "is claimed by another" }],
      async claim({ uuids }) {
        claimed.push(uuids);
        if (uuids.includes("GPU-2")) return { taken: [{ uuid: "GPU-2", why: "was quicker" }] };
        return { [Symbol.asyncDispose]: async () => {} };
      },
    });

    const taken = await leases.take({ id: "job", labels: ["gpu"] }, quiet);

    expect(taken?.lease.gpus).toEqual(["GPU-3"]);
    expect(claimed).toEqual([["GPU-2"], ["GPU-3"]]);
  });

  it("says who has the GPUs that it waits for, and takes them once they are given back", async () => {
    const told: string[] = [];
    let isTaken = true;
    const leases = openRunLeases(async () => machine("GPU-1"), {
      ...alone,
      lookEveryMs: 1,
      withheld: async () => (isTaken ? [{ uuid: "GPU-1", why: "is claimed by b" }] : []),
    });
    const progress = (line: string) => {
      told.push(line);
      isTaken = false;
    };

    const taken = await leases.take({ id: "job", labels: ["gpu"] }, { progress, signal });

    expect(taken?.lease.gpus).toEqual(["GPU-1"]);
    expect(told).toEqual(["Waiting for GPUs: GPU-1 is claimed by b."]);
  });

  it("stops waiting for GPUs when the job is cancelled", async () => {
    const leases = openRunLeases(async () => machine("GPU-1"), alone);
    await leases.take({ id: "job", labels: ["gpu"] }, quiet);
    const cancel = new AbortController();

    const waiting = leases.take(
      { id: "job", labels: ["gpu"] },
      { progress: () => cancel.abort(), signal: cancel.signal },
    );

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
