import { describe, expect, it } from "@jest/globals";
import { gpuMismatch } from "../../../src/containers/check-gpus.ts";

const [ONE, TWO] = ["GPU-1111", "GPU-2222"] as const;
const RUNTIME = { by: "runtime" } as const;

describe("the GPUs that a container has", () => {
  it.each([
    ["the leased one, as nvidia-smi lists it", [ONE], smi(list(ONE)), undefined],
    ["both, in any order", [ONE, TWO], smi(list(TWO, ONE)), undefined],
    ["another", [ONE], smi(list(TWO)), `nvidia-smi lists ${TWO}.`],
    ["one too many", [ONE], smi(list(ONE, TWO)), `nvidia-smi lists ${ONE}, ${TWO}.`],
    ["none", [ONE], smi("No devices found.\n"), "nvidia-smi lists none."],
    [
      "none that the driver can use",
      [ONE],
      smi("Failed to initialize NVML: Driver/library version mismatch\n", 18),
      "nvidia-smi failed in it: Failed to initialize NVML: Driver/library version mismatch",
    ],
    ["the leased slice, below its GPU", ["MIG-7"], smi(`${list(ONE)}${slice("MIG-7")}`), undefined],
    [
      "another slice beside the leased one",
      ["MIG-7"],
      smi(`${list(ONE)}${slice("MIG-7")}${slice("MIG-8")}`),
      "nvidia-smi lists MIG-7, MIG-8.",
    ],
    ["the whole GPU in place of a slice", ["MIG-7"], smi(list(ONE)), `nvidia-smi lists ${ONE}.`],
    ["as many cards, without nvidia-smi", [ONE], nodes("/dev/nvidia3"), undefined],
    [
      "more cards",
      [ONE],
      nodes("/dev/nvidia0", "/dev/nvidia1"),
      "It has /dev/nvidia0, /dev/nvidia1.",
    ],
    ["the name of the leased one only", [ONE], env(`NVIDIA_VISIBLE_DEVICES=${ONE}`), undefined],
    ["the name of another", [ONE], env(`NVIDIA_VISIBLE_DEVICES=${TWO}`), `It was given ${TWO}.`],
    ["nothing at all", [ONE], env("PATH=/bin"), "There is no sign of a GPU in it."],
  ])("%s", (_, gpus, printed, why) => {
    expect(gpuMismatch(printed, { gpus, gpuAccess: RUNTIME })).toBe(why);
  });

  it("are those of the leased device nodes, and no other", () => {
    const own = ["/dev/kfd", "/dev/dri/renderD129"];
    const gpuAccess = { by: "nodes", nodes: own, groups: [] } as const;
    const lease = { gpus: ["PCI-0000:07:00.0"], gpuAccess };

    expect(gpuMismatch(nodes(...own), lease)).toBeUndefined();
    expect(gpuMismatch(nodes("/dev/kfd", "/dev/dri/renderD128"), lease)).toBe(
      "It has the device nodes /dev/kfd, /dev/dri/renderD128.",
    );
  });
});

function list(...uuids: string[]): string {
  return uuids.map((uuid, n) => `GPU ${n}: NVIDIA A100 (UUID: ${uuid})\n`).join("");
}

function slice(uuid: string): string {
  return `  MIG 1g.10gb     Device  0: (UUID: ${uuid})\n`;
}

function smi(text: string, exitCode = 0): string {
  return `${text}smi ${exitCode}\nnode /dev/nvidia0\nenvironment\nNVIDIA_VISIBLE_DEVICES=void\0`;
}

function nodes(...paths: string[]): string {
  return `${paths.map((path) => `node ${path}\n`).join("")}environment\nPATH=/bin\0`;
}

function env(entry: string): string {
  return `environment\nHOME=/\0${entry}\0A=b\0`;
}
