import type { Engine } from "../containers/connect-engine.ts";
import { describeEngine } from "../containers/describe-engine.ts";
import type { HostFacts } from "./host-facts.ts";

type Info = {
  readonly Name?: string;
  readonly NCPU?: number;
  readonly MemTotal?: number;
  readonly Architecture?: string;
  readonly OperatingSystem?: string;
  readonly KernelVersion?: string;
};

const ARCHITECTURES: { readonly [machine: string]: string } = { x86_64: "x64", aarch64: "arm64" };

/**
 * What an engine says of its machine, where nothing else there can be asked: little, and nothing of its GPUs.
 *
 * @throws {BerthError} `ENGINE_LOST`, `ENGINE_REFUSED`
 */
export async function factsOfEngine(engine: Engine, signal: AbortSignal): Promise<HostFacts> {
  const description = await describeEngine(engine, signal);
  const info: Info = await engine.docker.info();
  const machine = info.Architecture ?? "";
  const { endpoint, version, apiVersion } = engine;
  const usable = description.osType === null || description.osType === "linux";
  return {
    name: info.Name ?? endpoint,
    os: description.osType ?? "linux",
    distribution: info.OperatingSystem ?? null,
    release: { id: "", version: "", codename: "", like: [] },
    kernel: info.KernelVersion ?? "",
    arch: ARCHITECTURES[machine] ?? machine,
    cpus: info.NCPU ?? 1,
    memoryBytes: info.MemTotal ?? 0,
    disks: [],
    user: null,
    uid: null,
    home: null,
    sudo: false,
    cgroupVersion: description.cgroupVersion === "2" ? "2" : "1",
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
    engines: [
      {
        ...description,
        ...{ endpoint, version, apiVersion, usable },
        isDefault: true,
        throughSudo: false,
        ...(!usable && {
          reason: `It runs ${description.osType} containers, and Berth's jobs need Linux ones.`,
          remedy: "Switch the engine to Linux containers.",
        }),
      },
    ],
    runc: description.runc,
    nvidiaToolkit: null,
    nvidiaLibrary: null,
    nvidiaDriver: null,
    nvidiaNoCgroups: null,
    deviceInterfaces: [],
    gpus: [],
    warnings: [],
  };
}
