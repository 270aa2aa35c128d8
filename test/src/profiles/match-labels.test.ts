import { describe, expect, it } from "@jest/globals";
import { isAddressed, matchLabels } from "../../../src/profiles/match-labels.ts";
import type { Need, Profiles } from "../../../src/profiles/need.ts";
import { seededRandom } from "../../seeded-random.ts";

const GIB = 1024 ** 3;

// Every row of the table in docs/labels.md, in every form.
const known: [labels: string[], need: Partial<Need>][] = [
  [["self-hosted", "linux", "berth"], {}],
  [["x64"], { arch: "x64" }],
  [["ARM64"], { arch: "arm64" }],
  [["gpu"], { gpus: 1 }],
  [["GPU"], { gpus: 1 }],
  [["gpu=2"], { gpus: 2 }],
  [["gpu:2"], { gpus: 2 }],
  [["gpu-2"], { gpus: 2 }],
  [["gpu=16"], { gpus: 16 }],
  [["gpu=a100"], { gpus: 1, gpuModel: "a100" }],
  [["GPU:A100"], { gpus: 1, gpuModel: "a100" }],
  [["gpu-a100"], { gpus: 1, gpuModel: "a100" }],
  [["gpu=a100:2"], { gpus: 2, gpuModel: "a100" }],
  [["gpu:a100:2"], { gpus: 2, gpuModel: "a100" }],
  [["gpu-a100:2"], { gpus: 2, gpuModel: "a100" }],
  [["gpu-a100-2"], { gpus: 2, gpuModel: "a100" }],
  [["gpu=a100-80gb"], { gpus: 1, gpuModel: "a100-80gb" }],
  [["gpu-rtx-4090"], { gpus: 1, gpuModel: "rtx-4090" }],
  [["gpu=4090"], { gpus: 1, gpuModel: "4090" }],
  [["gpu=RTX 4090:2"], { gpus: 2, gpuModel: "rtx 4090" }],
  [["gpu=titan"], { gpus: 1, gpuModel: "titan" }],
  [["gpu=l40s"], { gpus: 1, gpuModel: "l40s" }],
  [["gpu=mi300x"], { gpus: 1, gpuModel: "mi300x" }],
  [["gpu-mem=40g"], { gpus: 1, gpuMemoryBytes: 40 * GIB }],
  [["gpu-mem:40GB"], { gpus: 1, gpuMemoryBytes: 40 * GIB }],
  [["gpu-mem-40gib"], { gpus: 1, gpuMemoryBytes: 40 * GIB }],
  [["cuda=12.4"], { gpus: 1, cuda: "12.4" }],
  [["cuda:12"], { gpus: 1, cuda: "12.0" }],
  [["cuda-12.4.1"], { gpus: 1, cuda: "12.4" }],
  [["mig=1g.10gb"], { gpus: 1, mig: "1g.10gb" }],
  [["mig:3G.40GB"], { gpus: 1, mig: "3g.40gb" }],
  [["mig-1c.3g.20gb"], { gpus: 1, mig: "1c.3g.20gb" }],
  [["mig=1g.10gb+me"], { gpus: 1, mig: "1g.10gb+me" }],
  [["rootless"], { rootless: true }],
  [["dind"], { dind: true }],
  [["cpu=4"], { cpus: 4 }],
  [["cpu:0.5"], { cpus: 0.5 }],
  [["cpu-4"], { cpus: 4 }],
  [["mem=16g"], { memoryBytes: 16 * GIB }],
  [["mem:16GB"], { memoryBytes: 16 * GIB }],
  [["mem-512m"], { memoryBytes: 512 * 1024 ** 2 }],
  [["mem=1.5GiB"], { memoryBytes: 1.5 * GIB }],
  [["mem=16 gb"], { memoryBytes: 16 * GIB }],
  [["mem=1073741824"], { memoryBytes: GIB }],
  [["image=python:3.12"], { image: "python:3.12" }],
  [["image:ghcr.io/Owner/name@sha256:ab"], { image: "ghcr.io/Owner/name@sha256:ab" }],
  [["image-python:3.12"], { image: "python:3.12" }],
  [["host=GPU-1"], { host: "gpu-1" }],
  [["host:gpu-1"], { host: "gpu-1" }],
  [["host-gpu-1"], { host: "gpu-1" }],
  [[" gpu "], { gpus: 1 }],
  [[], {}],
  [["gpu", "gpu=2", "gpu=a100", "cuda=12.4"], { gpus: 2, gpuModel: "a100", cuda: "12.4" }],
  [["gpu", "gpu=a100:2"], { gpus: 2, gpuModel: "a100" }],
  [["gpu", "mig=1g.10gb"], { gpus: 1, mig: "1g.10gb" }],
  [["cpu=4", "cpu:4.0"], { cpus: 4 }],
];

const unknownLabels = [
  "ubuntu-latest",
  "windows-2022",
  "macos-14",
  "",
  "gpus",
  "gpu=",
  "gpu=0",
  "gpu=a100:0",
  "gpu=-1",
  "gpu=any",
  "gpu-runner",
  "gpu-large",
  "gpu-runner-1",
  "gpu=a100:",
  "gpu=a100:2:3",
  "gpu-mem=40",
  "gpu-mem=x",
  "gpu-memory=40g",
  "cuda=new",
  "cuda=0",
  "mig=10gb",
  "mig=1g",
  "cpu=0",
  "cpu=four",
  "cpu=-2",
  "cpu=0.0001",
  "mem=16",
  "mem=0",
  "mem=16x",
  "mem=1e9",
  "mem=9999999p",
  "image=",
  "image=a b",
  "image-builder",
  "host=",
  "host=a/b",
  "rootless=true",
  "__proto__",
  "constructor",
];

describe("matchLabels", () => {
  it.each(known)("reads %j", (labels, need) => {
    const whole = { gpus: 0, rootless: false, dind: false, ...need };

    expect(matchLabels(labels)).toEqual({ kind: "need", need: whole });
  });

  it.each(unknownLabels)("leaves a job with the label %j alone", (label) => {
    expect(matchLabels(["berth", label])).toBeUndefined();
  });

  it.each([
    [["gpu=2", "gpu=4"], "gpu=2 and gpu=4 contradict each other: a job has one number of GPUs"],
    [["gpu=a100", "gpu=h100"], "one model of GPU"],
    [["gpu=a100:2", "gpu=4"], "one number of GPUs"],
    [["x64", "arm64"], "x64 and arm64 contradict each other: a job has one kind of processor"],
    [["image=a:1", "image=b:1"], "one image"],
    [["host=a", "host=b"], "one host"],
    [["cpu=2", "cpu=4"], "one number of CPUs"],
    [["mem=2g", "mem=4g"], "one amount of memory"],
    [["cuda=12.4", "cuda=12.6"], "one version of CUDA"],
    [["mig=1g.10gb", "mig=2g.20gb"], "one kind of MIG slice"],
    [["gpu=2", "mig=1g.10gb"], "2 GPUs and for the MIG slice 1g.10gb"],
    [["gpu-mem=40g", "mig=1g.10gb"], "40 GiB of GPU memory, and the MIG slice 1g.10gb has 10 GiB"],
  ])("refuses %j in words", (labels, words) => {
    expect(matchLabels(labels)).toEqual({
      kind: "contradiction",
      why: expect.stringContaining(words),
    });
  });

  const profiles: Profiles = new Map([
    ["ml-train", { gpus: 2, gpuModel: "a100", rootless: false }],
    ["small", { cpus: 1 }],
    ["gpu", { gpus: 4 }],
  ]);

  it("takes a profile's needs, and what other labels add to them", () => {
    expect(matchLabels(["ML-Train", "mem=64g", "rootless"], profiles)).toMatchObject({
      need: {
        gpus: 2,
        gpuModel: "a100",
        memoryBytes: 64 * GIB,
        rootless: true,
        profile: "ml-train",
      },
    });
  });

  it("lets a profile's name win over what the word means otherwise", () => {
    expect(matchLabels(["gpu"], profiles)).toMatchObject({ need: { gpus: 4, profile: "gpu" } });
  });

  it("refuses two profiles, and a label that contradicts a profile", () => {
    expect(matchLabels(["ml-train", "small"], profiles)).toMatchObject({
      why: expect.stringContaining("one profile"),
    });
    expect(matchLabels(["ml-train", "gpu=4"], profiles)).toMatchObject({ kind: "contradiction" });
  });

  it("gives the same answer in any order, any case and said twice", () => {
    const random = seededRandom(5);
    const pool = [...known.flatMap(([labels]) => labels), ...unknownLabels];
    const pick = () => pool[Math.floor(random() * pool.length)] ?? "";
    for (let round = 0; round < 3000; round++) {
      const labels = Array.from({ length: 1 + Math.floor(random() * 4) }, pick);
      const shuffled = [...labels, ...labels].sort(() => random() - 0.5);
      const mixed = shuffled.map((label) =>
        random() < 0.5 && !label.toLowerCase().startsWith("image") ? label.toUpperCase() : label,
      );

      const [answer, again] = [matchLabels(labels), matchLabels(mixed)];

      expect({ labels, kind: again?.kind }).toEqual({ labels, kind: answer?.kind });
      if (answer?.kind === "need") expect(again).toEqual(answer);
    }
  });

  it("has an answer to any text whatever", () => {
    const random = seededRandom(6);
    const letters = "gpumemcdihostx0123456789=:-._+ \u0000\u00e9😀";
    for (let round = 0; round < 3000; round++) {
      const text = Array.from(
        { length: Math.floor(random() * 12) },
        () => letters[Math.floor(random() * letters.length)],
      ).join("");

      const answer = matchLabels([text]);

      if (answer?.kind === "need") {
        const { gpus, cpus = 1, memoryBytes = 2 ** 23 } = answer.need;
        expect(Number.isSafeInteger(gpus) && gpus >= 0 && gpus < 100).toBe(true);
        expect(cpus > 0 && Number.isFinite(cpus)).toBe(true);
        expect(Number.isSafeInteger(memoryBytes) && memoryBytes >= 6 * 1024 ** 2).toBe(true);
      }
    }
  });
});

describe("isAddressed", () => {
  const profiles: Profiles = new Map([["ml-train", {}]]);

  it("wants berth or a profile's name beside the rest, unless all labels are claimed", () => {
    expect(isAddressed(["self-hosted", "gpu"], { profiles, claim: "named" })).toBe(false);
    expect(isAddressed(["Berth", "gpu"], { profiles, claim: "named" })).toBe(true);
    expect(isAddressed(["ML-train"], { profiles, claim: "named" })).toBe(true);
    expect(isAddressed(["self-hosted", "gpu"], { profiles, claim: "labels" })).toBe(true);
  });
});
