import { describe, expect, it } from "@jest/globals";
import { cudaOfDriver } from "../../../src/hosts/cuda-of-driver.ts";
import {
  readBusIds,
  readComputeApps,
  readCudaVersion,
  readDriverGpus,
  readDriverVersion,
  readGpuList,
  readGpuQuery,
  readMebibytes,
  readPciAddress,
} from "../../../src/hosts/probe-nvidia.ts";
import { explainFailure, readLostGpus } from "../../../src/hosts/probe-nvidia-failure.ts";
import { seededRandom } from "../../seeded-random.ts";

const UUID = "GPU-67a571b1-79ee-1016-8ea3-c1fff3f1c1d2";
const MIB = 1024 ** 2;

describe("readGpuQuery", () => {
  it("reads a row", () => {
    const text = `0, ${UUID}, NVIDIA H100 80GB HBM3, 81559, 580.159.04, 9.0, Disabled\n`;

    expect(readGpuQuery(text)).toEqual([
      {
        index: 0,
        uuid: UUID,
        model: "NVIDIA H100 80GB HBM3",
        memoryBytes: 81559 * MIB,
        driver: "580.159.04",
        computeCapability: "9.0",
        migMode: false,
      },
    ]);
  });

  it("passes over the header, and takes units", () => {
    const text = `index, uuid, name, memory.total [MiB], driver_version, compute_cap, mig.mode.current
1, ${UUID}, NVIDIA A30, 24576 MiB, 550.54.15, 8.0, Enabled`;

    expect(readGpuQuery(text)).toMatchObject([
      { index: 1, memoryBytes: 24576 * MIB, migMode: true },
    ]);
  });

  it("leaves out what the card does not tell", () => {
    const text = `0, ${UUID}, NVIDIA GeForce RTX 3090, [N/A], [Not Supported], [N/A], [N/A]`;

    expect(readGpuQuery(text)).toEqual([
      { index: 0, uuid: UUID, model: "NVIDIA GeForce RTX 3090", migMode: false },
    ]);
  });

  it("reads localised numbers", () => {
    const text = `0, ${UUID}, Tesla T4, 15.109 MiB, 535.104.05, 7,5, [N/A]`;

    expect(readGpuQuery(text)).toMatchObject([
      { memoryBytes: 15109 * MIB, computeCapability: "7.5" },
    ]);
  });

  it("keeps a card that wants a reset, with its problem", () => {
    const text = `0, ${UUID}, NVIDIA A100-SXM4-40GB, [GPU requires reset], 550.54.15, 8.0, Disabled`;

    expect(readGpuQuery(text)).toMatchObject([{ uuid: UUID, problem: "GPU requires reset" }]);
  });

  it.each([
    "",
    "No devices were found",
    "Failed to initialize NVML: Driver/library version mismatch",
    'Field "compute_cap" is not a valid field to query.',
    "0, GPU-67a5",
    `${UUID}, 0, x, 1, 2, 3, 4`,
  ])("takes %j for no card", (text) => {
    expect(readGpuQuery(text)).toEqual([]);
  });

  it("never trips over a row that was cut off or garbled", () => {
    const whole = `0, ${UUID}, NVIDIA A30, 24576 MiB, 550.54.15, 8.0, Enabled\n`;
    const random = seededRandom(8);
    for (let round = 0; round < 500; round++) {
      const cut = whole.slice(0, Math.floor(random() * whole.length));
      const at = Math.floor(random() * whole.length);
      const garbled = `${whole.slice(0, at)}${String.fromCharCode(random() * 256)}${whole.slice(at + 1)}`;
      for (const gpu of [cut, garbled].flatMap((text) => readGpuQuery(text))) {
        expect(gpu.uuid).toMatch(/^GPU-/);
        expect(gpu.memoryBytes ?? 1).toBeGreaterThanOrEqual(0);
      }
    }
  });
});

it("reads GPUs and MIG slices, those of old drivers too", () => {
  const text = `GPU 0: NVIDIA A100-SXM4-40GB (UUID: ${UUID})
  MIG 3g.20gb     Device  0: (UUID: MIG-7c0ff5c5-8c7d-5f5a-8f3b-0123456789ab)
  MIG 1c.3g.20gb  Device  1: (UUID: MIG-${UUID}/1/0)
GPU 1: Tesla T4 (UUID: GPU-3e34e62f-d88e-f448-415e-be2cbf2c6178)
`;

  const { gpus, slices } = readGpuList(text);

  expect(gpus.map(({ index, model }) => [index, model])).toEqual([
    [0, "NVIDIA A100-SXM4-40GB"],
    [1, "Tesla T4"],
  ]);
  expect([...slices]).toEqual([
    [
      UUID,
      [
        { uuid: "MIG-7c0ff5c5-8c7d-5f5a-8f3b-0123456789ab", profile: "3g.20gb" },
        { uuid: `MIG-${UUID}/1/0`, profile: "1c.3g.20gb" },
      ],
    ],
  ]);
});

it("reads who computes, and passes over what is no process", () => {
  const text = `${UUID}, 4242, /usr/bin/python3, 1024\n${UUID}, 7, [Not Found], [N/A]\nNo running processes found\n`;

  expect(readComputeApps(text).get(UUID)).toEqual([
    { pid: 4242, name: "/usr/bin/python3", memoryBytes: 1024 * MIB },
    { pid: 7, name: "[Not Found]", memoryBytes: null },
  ]);
});

it("reads what the driver itself shows", () => {
  const information = (
    uuid: string,
  ) => `Model: \t\t NVIDIA A10\nIRQ:   \t\t 34\nGPU UUID: \t ${uuid}
Video BIOS: \t 94.02.75.00.01\nBus Location: \t 0000:07:00.0\n`;

  expect(readDriverGpus(`bus 0000:07:00.0\n${information(UUID)}`)).toEqual([
    { model: "NVIDIA A10", uuid: UUID, pciAddress: "0000:07:00.0" },
  ]);
  expect(readDriverGpus(`bus 0000:07:00.0\n${information("GPU-????????-????")}`)).toEqual([
    { model: "NVIDIA A10", pciAddress: "0000:07:00.0" },
  ]);
  expect(
    readDriverVersion(
      "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19 01:15:15 UTC 2023",
    ),
  ).toBe("535.104.05");
  expect(
    readDriverVersion(
      "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.86.15  Release Build",
    ),
  ).toBe("570.86.15");
});

it.each([
  ["00000000:65:00.0", "0000:65:00.0"],
  ["0000:0B:00.0", "0000:0b:00.0"],
  ["07:00.0", "0000:07:00.0"],
])("reads the PCI address %s", (text, address) => {
  expect(readPciAddress(text)).toBe(address);
  expect([...readBusIds(`${UUID}, ${text}`)]).toEqual([[UUID, address]]);
});

it.each([
  ["81559", 81559],
  ["81,559 MiB", 81559],
  ["81.559", 81559],
  ["81 559 MiB", 81559],
  ["24564.00", 24564],
  ["24564,00", 24564],
])("reads %s mebibytes", (text, mebibytes) => {
  expect(readMebibytes(text)).toBe(mebibytes * MIB);
});

it.each(["[N/A]", "", "N/A", "lots", "12 GiB"])("takes %j for no amount", (text) => {
  expect(readMebibytes(text)).toBeUndefined();
});

it("knows the CUDA of a driver from nvidia-smi, else by its version", () => {
  const head = "| NVIDIA-SMI 525.85.12    Driver Version: 525.85.12    CUDA Version: 12.0     |";

  expect(readCudaVersion(head)).toBe("12.0");
  expect(readCudaVersion("CUDA Version: N/A")).toBeUndefined();
  expect(["550.54.15", "535.104.05", "470.82", "390.1"].map(cudaOfDriver)).toEqual([
    "12.4",
    "12.2",
    "11.4",
    undefined,
  ]);
});

describe("explainFailure", () => {
  it.each([
    [
      18,
      "Failed to initialize NVML: Driver/library version mismatch\nNVML library version: 535.161",
      "another version than its library",
    ],
    [
      9,
      "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure…",
      "not loaded",
    ],
    [4, "Failed to initialize NVML: Insufficient Permissions", "may not use the NVIDIA driver"],
    [12, "NVIDIA-SMI couldn't find libnvidia-ml.so library in your system.", "libnvidia-ml.so"],
    [
      255,
      "Failed to initialize NVML: Unknown Error",
      "exit code 255 and said: Failed to initialize NVML: Unknown Error",
    ],
    [1, "", "exit code 1 and said: nothing"],
    [137, "Killed", "hangs"],
    [undefined, "", "hangs"],
  ])("explains exit code %s with %j", (code, text, reason) => {
    expect(explainFailure({ code, text })).toEqual({
      reason: expect.stringContaining(reason),
      remedy: expect.stringMatching(/\.$/),
    });
  });

  it("says nothing where all is well, or no GPU is there", () => {
    expect(explainFailure(undefined)).toBeUndefined();
    expect(explainFailure({ code: 0, text: "" })).toBeUndefined();
    expect(explainFailure({ code: 6, text: "No devices were found" })).toBeUndefined();
  });
});

it.each([
  "Unable to determine the device handle for GPU 0000:65:00.0: GPU is lost.  Reboot the system to recover this GPU",
  "Unable to determine the device handle for GPU0000:65:00.0: Unknown Error",
  "Unable to determine the device handle for GPU1: 0000:65:00.0: Unknown Error",
])("names the GPU that fell off the bus in %j", (text) => {
  expect(readLostGpus(`${text}\n${text}`)).toEqual([
    {
      pciAddress: "0000:65:00.0",
      reason: expect.stringMatching(/fallen off the bus.*(?:lost|Unknown Error)/),
      remedy: expect.stringContaining("Reboot"),
    },
  ]);
});
