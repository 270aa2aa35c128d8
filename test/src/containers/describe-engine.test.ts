import { expect, it } from "@jest/globals";
import { readDescription } from "../../../src/containers/describe-engine.ts";

const info = {
  ID: "6OUW:VTJN",
  OSType: "linux",
  Driver: "overlay2",
  CgroupDriver: "systemd",
  CgroupVersion: "2",
  MemoryLimit: true,
  CpuCfsQuota: true,
  Runtimes: { "io.containerd.runc.v2": {}, runc: {}, nvidia: {} },
  SecurityOptions: ["name=seccomp,profile=default"],
};
const version = {
  Components: [
    { Name: "Engine", Version: "28.0.0" },
    { Name: "runc", Version: "1.2.8" },
  ],
};

it("reads what Docker says of itself", () => {
  expect(readDescription(info, version)).toEqual({
    id: "6OUW:VTJN",
    kind: "docker",
    cdi: false,
    rootless: false,
    osType: "linux",
    storageDriver: "overlay2",
    cgroupDriver: "systemd",
    cgroupVersion: "2",
    runtimes: ["runc", "nvidia"],
    enforcesLimits: true,
    runc: "1.2.8",
  });
});

it("knows an engine that hands out devices by their names", () => {
  const withNames = { ...info, CDISpecDirs: ["/etc/cdi", "/var/run/cdi"] };

  expect(readDescription(withNames, version)).toMatchObject({ cdi: true });
});

it("knows a rootless engine, and that without control groups it enforces nothing", () => {
  const rootless = {
    ...info,
    SecurityOptions: ["name=seccomp,profile=default", "name=rootless"],
    CgroupDriver: "none",
  };

  expect(readDescription(rootless, version)).toMatchObject({
    rootless: true,
    enforcesLimits: false,
  });
});

it("knows Podman, and what leaves much out", () => {
  const podman = { Components: [{ Name: "Podman Engine", Version: "5.4.0" }] };

  expect(readDescription({}, podman)).toMatchObject({
    kind: "podman",
    runtimes: [],
    enforcesLimits: false,
    osType: null,
  });
});
