import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { cpus, hostname, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import type { EngineFacts } from "../../../src/hosts/host-facts.ts";
import { readGpus } from "../../../src/hosts/probe-gpus.ts";
import { probeMachine } from "../../../src/hosts/probe-machine.ts";
import { readSections } from "../../../src/hosts/probe-sections.ts";

const ONE = "GPU-11111111-2222-3333-4444-555555555555";
const TWO = "GPU-66666666-2222-3333-4444-555555555555";

let root: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "berth-probe-"));
  await mkdir(join(root, "bin"));
});
afterEach(() => rm(root, { recursive: true, force: true }));

/** Probes this machine with the files and programs below `root`; no engine answers. */
function probe({ limitS = 10 } = {}) {
  return probeMachine({
    connect: {
      env: { PATH: `${root}/bin:${process.env.PATH}`, DOCKER_HOST: `unix://${root}/none.sock` },
      home: root,
      uid: 0,
      stateDir: root,
    },
    signal: new AbortController().signal,
    limitS,
    root,
  });
}

async function program(name: string, script: string): Promise<void> {
  const path = join(root, "bin", name);
  await writeFile(path, `#!/bin/sh\n${script}\n`);
  await chmod(path, 0o755);
}

async function file(path: string, text: string): Promise<void> {
  await mkdir(dirname(join(root, path)), { recursive: true });
  await writeFile(join(root, path), text);
}

async function pciDevice(
  address: string,
  vendor: string,
  device: string,
  driver = "",
): Promise<void> {
  const folder = `sys/bus/pci/devices/${address}`;
  await file(`${folder}/class`, "0x030200\n");
  await file(`${folder}/vendor`, `${vendor}\n`);
  await file(`${folder}/device`, `${device}\n`);
  if (driver !== "") await symlink(`../../drivers/${driver}`, join(root, folder, "driver"));
}

describe("probeMachine", () => {
  it("tells of the system", async () => {
    const facts = await probe();

    expect(facts).toMatchObject({
      name: hostname(),
      os: "linux",
      arch: process.arch,
      cpus: cpus().length,
      gpus: [],
    });
    expect(facts.memoryBytes).toBeGreaterThan(64 * 1024 ** 2);
    expect(facts.disks[0]?.totalBytes).toBeGreaterThan(0);
  });

  it("says of a named engine that does not answer why", async () => {
    const { engines } = await probe();

    expect(engines.find(({ endpoint }) => endpoint.endsWith("none.sock"))).toMatchObject({
      usable: false,
      reason: expect.stringContaining("there is no such socket"),
      remedy: expect.any(String),
    });
  });

  it("reads GPUs, slices and processes from nvidia-smi", async () => {
    await program(
      "nvidia-smi",
      `case "$*" in
*compute_cap*)
  echo "0, ${ONE}, NVIDIA A100-SXM4-80GB, 81920, 550.54.15, 8.0, Disabled"
  echo "1, ${TWO}, NVIDIA A100-SXM4-80GB, 81920, 550.54.15, 8.0, Enabled" ;;
*-L*)
  echo "GPU 0: NVIDIA A100-SXM4-80GB (UUID: ${ONE})"
  echo "GPU 1: NVIDIA A100-SXM4-80GB (UUID: ${TWO})"
  echo "  MIG 3g.40gb     Device  0: (UUID: MIG-aaaaaaaa-2222-3333-4444-555555555555)" ;;
*pci.bus_id*) echo "${ONE}, 00000000:07:00.0" ;;
*compute-apps*) echo "${ONE}, 42, python3, 1024" ;;
*) echo "| Driver Version: 550.54.15    CUDA Version: 12.4 |" ;;
esac`,
    );

    const { gpus } = await probe();

    expect(gpus).toMatchObject([
      {
        vendor: "nvidia",
        index: 0,
        uuid: ONE,
        model: "NVIDIA A100-SXM4-80GB",
        memoryBytes: 81920 * 1024 ** 2,
        driver: "550.54.15",
        cuda: "12.4",
        computeCapability: "8.0",
        mig: [],
        pciAddress: "0000:07:00.0",
        processes: [{ pid: 42, name: "python3", memoryBytes: 1024 ** 3 }],
      },
      {
        uuid: TWO,
        migMode: true,
        mig: [{ uuid: "MIG-aaaaaaaa-2222-3333-4444-555555555555", profile: "3g.40gb" }],
      },
    ]);
  });

  it("asks an old nvidia-smi for less", async () => {
    await program(
      "nvidia-smi",
      `case "$*" in
*compute_cap*) echo 'Field "compute_cap" is not a valid field to query.'; exit 2 ;;
*index,uuid,name*) echo "0, ${ONE}, Tesla K80, 11441, 450.80.02" ;;
*) exit 2 ;;
esac`,
    );

    const { gpus } = await probe();

    expect(gpus).toMatchObject([
      { uuid: ONE, model: "Tesla K80", driver: "450.80.02", cuda: "11.0", computeCapability: null },
    ]);
  });

  it("goes on when nvidia-smi hangs", async () => {
    await program("nvidia-smi", "sleep 300");

    const { gpus } = await probe({ limitS: 1 });

    expect(gpus).toMatchObject([
      { usable: false, uuid: null, reason: "nvidia-smi hangs: it did not answer in time." },
    ]);
  });

  it("finds GPUs on the bus and by the driver's files where nvidia-smi fails", async () => {
    await program(
      "nvidia-smi",
      "echo 'Failed to initialize NVML: Driver/library version mismatch'; exit 18",
    );
    await pciDevice("0000:07:00.0", "0x10de", "0x20b5", "nvidia");
    await file("usr/share/misc/pci.ids", "10de  NVIDIA\n\t20b5  GA100 [A100 PCIe 80GB]\n");
    await file(
      "proc/driver/nvidia/gpus/0000:07:00.0/information",
      `Model: \t NVIDIA A100 80GB PCIe\nGPU UUID: \t ${ONE}\nBus Location: \t 0000:07:00.0\n`,
    );

    const { gpus } = await probe();

    expect(gpus).toMatchObject([
      {
        uuid: ONE,
        model: "NVIDIA A100 80GB PCIe",
        pciAddress: "0000:07:00.0",
        usable: false,
        reason: expect.stringContaining("another version than its library"),
        remedy: expect.stringContaining("Reboot"),
      },
    ]);
  });

  it.each([
    ["", "The NVIDIA driver is not installed."],
    ["nouveau", "It runs on the nouveau driver, which cannot compute."],
    ["vfio-pci", "It is set aside for virtual machines (vfio-pci)."],
    ["nvidia", "The NVIDIA driver is loaded, but nvidia-smi is not installed."],
  ])("says of a GPU with the driver %j why it cannot be used", async (driver, reason) => {
    await pciDevice("0000:07:00.0", "0x10de", "0x20b5", driver);

    const { gpus } = await probe();

    expect(gpus).toMatchObject([{ model: "NVIDIA device 10de:20b5", usable: false, reason }]);
  });

  it("finds GPUs of AMD and Intel, and passes over other cards", async () => {
    await pciDevice("0000:01:00.0", "0x1002", "0x74a1", "amdgpu");
    await pciDevice("0000:02:00.0", "0x8086", "0x56c0", "i915");
    await pciDevice("0000:03:00.0", "0x1a03", "0x2000", "ast");
    const without = await probe();
    await file("dev/kfd", "");
    await file("dev/dri/renderD128", "");
    const withNodes = await probe();

    expect(without.gpus.map(({ vendor, usable }) => [vendor, usable])).toEqual([
      ["amd", false],
      ["intel", false],
    ]);
    expect(withNodes.gpus.map(({ vendor, usable }) => [vendor, usable])).toEqual([
      ["amd", true],
      ["intel", false],
    ]);
  });

  it("names the GPU that fell off the bus, and keeps the others", async () => {
    await program(
      "nvidia-smi",
      `case "$*" in
*compute_cap*) echo "0, ${ONE}, NVIDIA A30, 24576, 550.54.15, 8.0, Disabled"
  echo "Unable to determine the device handle for GPU0000:65:00.0: Unknown Error"; exit 255 ;;
*pci.bus_id*) echo "${ONE}, 00000000:07:00.0" ;;
esac`,
    );
    await pciDevice("0000:07:00.0", "0x10de", "0x20b7", "nvidia");
    await pciDevice("0000:65:00.0", "0x10de", "0x20b7", "nvidia");

    const { gpus } = await probe();

    expect(gpus.map(({ pciAddress, uuid }) => [pciAddress, uuid])).toEqual([
      ["0000:07:00.0", ONE],
      ["0000:65:00.0", null],
    ]);
    expect(gpus[1]?.reason).toContain("fallen off the bus");
  });

  it("warns of a toolkit with a known way out", async () => {
    await program("nvidia-ctk", "echo 'NVIDIA Container Toolkit CLI version 1.17.3'");

    const { nvidiaToolkit, warnings } = await probe();

    expect(nvidiaToolkit).toBe("1.17.3");
    expect(warnings.map(({ message }) => message)).toContainEqual(
      expect.stringContaining("CVE-2025-23266"),
    );
  });

  it("ends at once when it is cancelled", async () => {
    const cancel = new AbortController();
    cancel.abort(new Error("enough"));
    const connect = { env: process.env, home: root, uid: 0, stateDir: root };

    await expect(probeMachine({ connect, signal: cancel.signal })).rejects.toThrow("enough");
  });
});

describe("readGpus", () => {
  const engine: EngineFacts = {
    id: "",
    kind: "docker",
    endpoint: "unix:///var/run/docker.sock",
    isDefault: true,
    throughSudo: false,
    usable: true,
    rootless: false,
    version: "28.0.0",
    apiVersion: "1.48",
    osType: "linux",
    storageDriver: "overlay2",
    cgroupDriver: "systemd",
    cgroupVersion: "2",
    runtimes: ["runc"],
    enforcesLimits: true,
    runc: "1.2.8",
  };
  const row = `0, ${ONE}, NVIDIA A30, 24576, 550.54.15, 8.0`;
  const read = (mig: string, engines: EngineFacts[], programs = {}) => {
    const output = `n begin smi-query\n${row}, ${mig}\n\nn end 0\n`;
    return readGpus(readSections(output, "n"), { engines, programs })[0];
  };

  it("has a GPU usable where an engine can give it to a container", () => {
    const withRuntime = { ...engine, runtimes: ["runc", "nvidia"] };

    expect(read("Disabled", [withRuntime])).toMatchObject({ usable: true });
    expect(read("Disabled", [withRuntime])).not.toHaveProperty("reason");
    expect(
      read("Disabled", [engine], { "nvidia-container-runtime-hook": "/usr/bin/x" }),
    ).toMatchObject({ usable: true });
  });

  it("says why not: no toolkit, no engine, MIG without slices", () => {
    const reasons = [
      read("Disabled", [engine]),
      read("Disabled", []),
      read("Enabled", [engine], { "nvidia-container-runtime": "/usr/bin/x" }),
    ].map((gpu) => [gpu?.usable, gpu?.reason]);

    expect(reasons).toEqual([
      [false, expect.stringContaining("the NVIDIA container toolkit is missing")],
      [false, "No container engine can be used here."],
      [false, "MIG is on, and no slice has been made."],
    ]);
  });

  it("reads what came before the connection broke", () => {
    const output = `n begin smi-query\n${row}, Disabled\n\nn end 0\nn begin smi-list\nGPU 0: NV`;

    expect(readGpus(readSections(output, "n"), { engines: [engine], programs: {} })).toHaveLength(
      1,
    );
  });
});
