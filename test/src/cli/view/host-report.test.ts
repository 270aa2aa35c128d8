import { expect, it } from "@jest/globals";
import { hostReport, hostTable } from "../../../../src/cli/view/host-report.ts";
import type { GpuFacts, HostFacts } from "../../../../src/hosts/host-facts.ts";

const gpu: GpuFacts = {
  vendor: "nvidia",
  index: 0,
  uuid: null,
  model: "NVIDIA A30",
  memoryBytes: null,
  driver: null,
  cuda: null,
  computeCapability: null,
  pciAddress: "0000:07:00.0",
  migMode: false,
  mig: [],
  processes: [],
  troubles: [],
  deviceNodes: [],
  usable: false,
  reason: "The NVIDIA driver is not installed.",
  remedy: "Install it.",
};
const facts: HostFacts = {
  name: "box",
  os: "linux",
  distribution: null,
  release: { id: "", version: "", codename: "", like: [] },
  kernel: "6.1",
  arch: "x64",
  cpus: 4,
  memoryBytes: 8 * 1024 ** 3,
  disks: [],
  user: "me",
  uid: 1000,
  home: "/home/me",
  sudo: false,
  cgroupVersion: null,
  programs: {},
  packageManager: null,
  systemd: false,
  isContainer: false,
  machineId: null,
  bootId: null,
  clockSkewMs: null,
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
  gpus: [gpu, { ...gpu, index: 1 }],
  warnings: [{ message: "Something is old.", remedy: "Renew it." }],
};

it("gives one reason once, with all that it holds for", () => {
  const report = hostReport(facts);

  expect(report).toContain(
    "✗ GPU 0, GPU 1: The NVIDIA driver is not installed.\n  Install it.\n! Something is old.\n  Renew it.\n",
  );
  expect(report).toContain("No container engine. Run `berth doctor --fix`.");
});

it("lists hosts in aligned columns", () => {
  expect(hostTable([facts, { ...facts, name: "a-longer-name", gpus: [] }])).toBe(
    [
      "HOST           ARCH  CPUS  MEMORY  ENGINES  GPUS          WARNINGS",
      "box            x64   4     8 GiB   none     2 not usable  1",
      "a-longer-name  x64   4     8 GiB   none     none          1",
      "",
    ].join("\n"),
  );
});
