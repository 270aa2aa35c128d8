import type { EngineFacts, GpuFacts, HostFacts } from "../../../src/hosts/host-facts.ts";

/** An engine as the probe tells it. */
export function anEngine(facts: Partial<EngineFacts> = {}): EngineFacts {
  return {
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
    cdi: false,
    enforcesLimits: true,
    runc: "1.2.8",
    ...facts,
  };
}

/** A GPU as the probe tells it. */
export function aGpu(facts: Partial<GpuFacts> = {}): GpuFacts {
  return {
    vendor: "nvidia",
    index: 0,
    uuid: "GPU-11111111-2222-3333-4444-555555555555",
    model: "NVIDIA A30",
    memoryBytes: 24 * 1024 ** 3,
    driver: "550.54.15",
    cuda: "12.4",
    computeCapability: "8.0",
    pciAddress: "0000:07:00.0",
    migMode: false,
    mig: [],
    processes: [],
    troubles: [],
    deviceNodes: [],
    usable: true,
    ...facts,
  };
}

/** A machine as the probe tells it: small, and with nothing to run on. */
export function aMachine(facts: Partial<HostFacts> = {}): HostFacts {
  return {
    name: "box",
    os: "linux",
    distribution: "Debian GNU/Linux 12 (bookworm)",
    release: { id: "debian", version: "12", codename: "bookworm", like: [] },
    kernel: "6.1",
    arch: "x64",
    cpus: 4,
    memoryBytes: 8 * 1024 ** 3,
    disks: [],
    user: "me",
    uid: 1000,
    home: "/home/me",
    sudo: false,
    cgroupVersion: "2",
    programs: {},
    packageManager: "apt",
    systemd: true,
    isContainer: false,
    machineId: null,
    bootId: null,
    clockSkewMs: 0,
    rootless: {
      subUids: 0,
      subGids: 0,
      tun: "missing",
      namespacesForbidden: null,
      delegated: [],
      lingers: false,
      runtimeFolder: null,
    },
    engines: [],
    runc: null,
    nvidiaToolkit: null,
    nvidiaLibrary: null,
    nvidiaDriver: null,
    nvidiaNoCgroups: null,
    deviceInterfaces: [],
    gpus: [],
    warnings: [],
    ...facts,
  };
}
