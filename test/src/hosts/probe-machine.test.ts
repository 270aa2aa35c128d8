import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { cpus, hostname, tmpdir, userInfo } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { probeMachine } from "../../../src/hosts/probe-machine.ts";

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
      env: {
        PATH: `${root}/bin:${process.env.PATH}`,
        HOME: root,
        DOCKER_HOST: `unix://${root}/none.sock`,
      },
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

  it("finds GPUs of AMD and Intel, with what their driver tells, and passes over other cards", async () => {
    await pciDevice("0000:01:00.0", "0x1002", "0x74a1", "amdgpu");
    await pciDevice("0000:02:00.0", "0x8086", "0x56c0", "i915");
    await pciDevice("0000:03:00.0", "0x1a03", "0x2000", "ast");
    const without = await probe();
    await file("dev/kfd", "");
    await file("dev/dri/renderD128", "");
    const device = "sys/bus/pci/devices/0000:01:00.0";
    await file(`${device}/mem_info_vram_total`, "206141652992\n");
    await file(`${device}/unique_id`, "8d5b3c1f0a9e7d62\n");
    await file(`${device}/drm/renderD128/dev`, "226:128\n");
    await file("sys/class/kfd/kfd/topology/nodes/1/gpu_id", "51140\n");
    await file(
      "sys/class/kfd/kfd/topology/nodes/1/properties",
      "simd_count 1216\ndrm_render_minor 128\n",
    );
    await file("sys/class/kfd/kfd/proc/4711/vram_51140", "1073741824\n");
    await file("proc/4711/comm", "python3\n");
    const withDriver = await probe();

    expect(without.gpus.map(({ vendor, reason }) => [vendor, reason])).toEqual([
      ["amd", expect.stringContaining("its driver for computing is missing")],
      ["intel", expect.stringContaining("does not give them to jobs")],
    ]);
    expect(withDriver.gpus[0]).toMatchObject({
      vendor: "amd",
      uuid: "GPU-8d5b3c1f0a9e7d62",
      memoryBytes: 206141652992,
      deviceNodes: ["/dev/kfd", "/dev/dri/renderD128"],
      processes: [{ pid: 4711, name: "python3", memoryBytes: 1024 ** 3 }],
    });
  });

  it("tells what set-up needs to know", async () => {
    await file("etc/machine-id", "0123456789abcdef0123456789abcdef\n");
    await file("etc/subuid", "someone:100000:65536\n0:231072:65536\n");
    await file(
      "etc/nvidia-container-runtime/config.toml",
      "[nvidia-container-cli]\nno-cgroups = true\n",
    );
    await file("proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1\n");

    const facts = await probe();

    expect(facts).toMatchObject({
      machineId: "0123456789abcdef0123456789abcdef",
      uid: userInfo().uid,
      home: root,
      clockSkewMs: 0,
      nvidiaNoCgroups: true,
      rootless: {
        tun: "missing",
        subUids: userInfo().uid === 0 ? 65536 : expect.any(Number),
        namespacesForbidden: expect.stringContaining("AppArmor"),
      },
    });
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
