import { describe, expect, it } from "@jest/globals";
import type { Capability, GpuCapability } from "../../../src/profiles/capability.ts";
import { fits } from "../../../src/profiles/fits.ts";
import { gpuUnits, isAtLeast, isOfModel } from "../../../src/profiles/gpu-misfits.ts";
import { matchLabels } from "../../../src/profiles/match-labels.ts";
import { formatSize } from "../../../src/profiles/size.ts";
import { seededRandom } from "../../seeded-random.ts";

const MIB = 1024 ** 2;
const GIB = 1024 ** 3;

const a100: GpuCapability = {
  vendor: "nvidia",
  uuid: "GPU-1",
  model: "NVIDIA A100-SXM4-80GB",
  memoryBytes: 81920 * MIB,
  cuda: "12.4",
  mig: [],
  usable: true,
};
const t4 = { ...a100, uuid: "GPU-2", model: "Tesla T4", memoryBytes: 15109 * MIB };
const sliced = { ...a100, uuid: "GPU-3", mig: [{ uuid: "MIG-1", profile: "3g.40gb" }] };
const broken = { ...a100, uuid: null, usable: false, reason: "Its driver is not loaded." };

const engine = { usable: true, rootless: false, enforcesLimits: true };
const box: Capability = {
  name: "box",
  arch: "x64",
  cpus: 8,
  memoryBytes: 32 * GIB,
  engines: [engine],
  gpus: [],
};

function reasons(labels: string[], host: Partial<Capability>): string[] {
  const match = matchLabels(labels);
  if (match?.kind !== "need") throw new Error(`${labels} are no need`);
  return fits(match.need, { ...box, ...host });
}

describe("fits", () => {
  it.each<[string[], Partial<Capability>]>([
    [["berth", "x64", "cpu=8", "mem=32g", "host=BOX"], {}],
    [["gpu"], { gpus: [t4] }],
    [["gpu=2"], { gpus: [a100, t4] }],
    [["gpu=a100"], { gpus: [t4, a100] }],
    [["gpu-mem=80g"], { gpus: [{ ...a100, memoryBytes: 81559 * MIB }] }],
    [["gpu-mem=16g"], { gpus: [t4] }],
    [["cuda=12.4"], { gpus: [a100] }],
    [["mig=3g.40gb"], { gpus: [t4, sliced] }],
    [["dind"], {}],
    [["dind"], { engines: [{ ...engine, dind: { rootless: true, capabilities: "It may not." } }] }],
    [
      ["dind"],
      {
        engines: [
          { ...engine, dind: { rootless: "No." } },
          { ...engine, dind: {} },
        ],
      },
    ],
    [["rootless"], { engines: [{ usable: true, rootless: true, enforcesLimits: false }] }],
  ])("has nothing to say when %j fit", (labels, host) => {
    expect(reasons(labels, host)).toEqual([]);
  });

  it.each<[string[], Partial<Capability>, string]>([
    [["cpu=16"], {}, "box has 8 CPUs, and the job needs 16."],
    [["mem=64g"], {}, "box has 32 GiB of memory, and the job needs 64 GiB."],
    [["arm64"], {}, "box has x64 processors, and the job needs arm64."],
    [["host=other"], {}, "The job asks for the host other, and this is box."],
    [["berth"], { engines: [] }, "box has no container engine that can be used."],
    [
      ["rootless"],
      {},
      "None of the 1 engine of box runs rootless, and the job needs one that does.",
    ],
    [
      ["mem=1g"],
      { engines: [{ usable: true, rootless: true, enforcesLimits: false }] },
      "The job reserves CPU or memory, and no engine of box can enforce such limits (1 looked at).",
    ],
    [
      ["dind"],
      {
        engines: [{ ...engine, dind: { rootless: "It has no /dev/net/tun.", capabilities: true } }],
      },
      "No Docker daemon in the mode rootless works in a container of box, and the job needs one (dind). It has no /dev/net/tun.",
    ],
    [["gpu"], {}, "box has no GPU."],
    [["gpu=2"], { gpus: [a100] }, "box has 1 GPU, and the job needs 2."],
    [
      ["gpu"],
      { gpus: [{ ...a100, uuid: null }] },
      "box has 1 GPU, and without its UUID, which could not be found out, a GPU can be leased to no job.",
    ],
    [
      ["gpu=2"],
      { gpus: [a100, broken] },
      "box has 1 GPU, besides 1 that cannot be used, and the job needs 2.",
    ],
    [
      ["gpu"],
      { gpus: [broken] },
      "box has 1 GPU (NVIDIA A100-SXM4-80GB), none of which can be used: Its driver is not loaded.",
    ],
    [
      ["gpu=a100:2"],
      { gpus: [a100, t4] },
      "box has 2 GPUs (NVIDIA A100-SXM4-80GB, Tesla T4), only 1 of the 2 needed of the model a100.",
    ],
    [["gpu=h100"], { gpus: [t4] }, "box has 1 GPU (Tesla T4), none of the model h100."],
    [["gpu-mem=24g"], { gpus: [t4] }, "box has 1 GPU with 14.7 GiB of memory, none with 24 GiB."],
    [
      ["cuda=12.6"],
      { gpus: [t4] },
      "The driver of box runs CUDA up to 12.4, and the job needs 12.6.",
    ],
    [
      ["mig=1g.10gb"],
      { gpus: [sliced] },
      "box has no MIG slice 1g.10gb on its 1 GPU; there are 1 × 3g.40gb.",
    ],
    [
      ["mig=1g.10gb"],
      { gpus: [t4] },
      "box has no MIG slice 1g.10gb on its 1 GPU; none is cut into slices.",
    ],
    [
      ["gpu"],
      { gpus: [sliced] },
      "box has 1 GPU, 1 of them cut into MIG slices, and the job needs 1 whole.",
    ],
  ])("says why %j do not fit", (labels, host, reason) => {
    expect(reasons(labels, host)).toEqual([reason]);
  });

  it("gives every reason, not only the first", () => {
    expect(reasons(["cpu=16", "mem=64g", "arm64", "gpu", "rootless"], {})).toHaveLength(5);
  });

  it("never has more against a host that has more", () => {
    const random = seededRandom(7);
    const pool = ["gpu", "gpu=2", "gpu=t4", "gpu-mem=16g", "cuda=12.4", "cpu=4", "mem=16g"];
    for (let round = 0; round < 1000; round++) {
      const labels = pool.filter(() => random() < 0.4);
      const match = matchLabels(labels.filter((one) => one !== "gpu=2" || random() < 0.5));
      if (match?.kind !== "need") throw new Error("no need");
      const small = {
        ...box,
        cpus: Math.ceil(random() * 8),
        memoryBytes: random() * 32 * GIB,
        gpus: [a100, t4, broken, sliced].filter(() => random() < 0.5),
      };
      const large = { ...small, cpus: 8, memoryBytes: 32 * GIB, gpus: [...small.gpus, t4, t4] };

      const [few, many] = [fits(match.need, large), fits(match.need, small)];

      expect(few.length).toBeLessThanOrEqual(many.length);
    }
  });
});

it.each([
  ["NVIDIA A100-SXM4-80GB", "a100", true],
  ["NVIDIA A100-SXM4-80GB", "a100-80gb", true],
  ["NVIDIA A100-SXM4-40GB", "a100-80gb", false],
  ["NVIDIA A100-SXM4-80GB", "A100-SXM4-80GB", true],
  ["NVIDIA A100-SXM4-80GB", "a10", false],
  ["NVIDIA GeForce RTX 4090", "rtx-4090", true],
  ["NVIDIA GeForce RTX 4090", "rtx4090", true],
  ["NVIDIA GeForce RTX 4090", "4090", true],
  ["NVIDIA GeForce RTX 3090 Ti", "3090ti", true],
  ["Tesla V100-SXM2-16GB", "v100", true],
  ["AMD Instinct MI300X", "mi300x", true],
  ["NVIDIA L4", "l40", false],
])("%s is of the model %s: %s", (model, wanted, answer) => {
  expect(isOfModel(model, wanted)).toBe(answer);
});

it("compares versions number by number", () => {
  expect([
    isAtLeast("12.10", "12.4"),
    isAtLeast("12.4", "12.4"),
    isAtLeast("11.8", "12.0"),
    isAtLeast("13", "12.9"),
  ]).toEqual([true, true, false, true]);
});

it("never rounds a size up", () => {
  expect([0, 1023, 1024, 1.5 * GIB, 23.99 * GIB].map(formatSize)).toEqual([
    "0 B",
    "1023 B",
    "1 KiB",
    "1.5 GiB",
    "23.9 GiB",
  ]);
});

describe("gpuUnits", () => {
  function units(labels: string[], gpus: GpuCapability[]): string[] {
    const match = matchLabels(labels);
    if (match?.kind !== "need") throw new Error(`${labels} are no need`);
    return gpuUnits(match.need, { ...box, gpus }).map(({ uuid }) => uuid);
  }
  const twice = { ...sliced, mig: [...sliced.mig, { uuid: "MIG-2", profile: "3g.40gb" }] };

  it("are whole GPUs that can be used, of the model and size that are asked for", () => {
    expect(units(["gpu"], [a100, t4, sliced, broken])).toEqual(["GPU-1", "GPU-2"]);
    expect(units(["gpu=a100"], [a100, t4])).toEqual(["GPU-1"]);
    expect(units(["gpu-mem=16g", "cuda=12.4"], [t4])).toEqual(["GPU-2"]);
  });

  it("are slices where a job asks for one", () => {
    expect(units(["mig=3g.40gb"], [a100, twice])).toEqual(["MIG-1", "MIG-2"]);
  });

  it("are as many as a job needs where the host has nothing against it, and fewer where it has", () => {
    const need = { gpus: 3, mig: "3g.40gb", rootless: false, dind: false };

    expect(fits(need, { ...box, gpus: [twice] })).toEqual([
      "box has 2 MIG slices 3g.40gb, and the job needs 3.",
    ]);
    expect(fits({ ...need, gpus: 2 }, { ...box, gpus: [twice] })).toEqual([]);
  });
});
