import type { EngineDescription } from "../containers/describe-engine.ts";
import type { DindModes, GpuCapability } from "../profiles/capability.ts";

/** What probing a machine found out. Sizes are in bytes; `null` is what could not be found out. */
export type HostFacts = {
  readonly name: string;
  /** `linux` */
  readonly os: string;
  /** `Debian GNU/Linux 12 (bookworm)` */
  readonly distribution: string | null;
  /** Of /etc/os-release. */
  readonly release: Release;
  readonly kernel: string;
  readonly arch: string;
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly disks: readonly DiskFacts[];
  readonly user: string | null;
  readonly uid: number | null;
  readonly home: string | null;
  /** Root, or `sudo` works without a password. */
  readonly sudo: boolean;
  readonly cgroupVersion: "1" | "2" | null;
  /** Programs of interest and where they are. */
  readonly programs: { readonly [name: string]: string };
  readonly packageManager: PackageManager | null;
  /** systemd is what runs the machine. */
  readonly systemd: boolean;
  /** It is itself a container of another machine. */
  readonly isContainer: boolean;
  /** /etc/machine-id. Machines cloned from one disk share it, so that only both ids together tell a machine. */
  readonly machineId: string | null;
  /** New with each start; the same in all containers of a machine. */
  readonly bootId: string | null;
  /** How far its clock is ahead of ours, in milliseconds; negative: behind. */
  readonly clockSkewMs: number | null;
  /** What rootless Docker needs of the system, for this user. */
  readonly rootless: RootlessGround;
  readonly engines: readonly EngineFacts[];
  readonly runc: string | null;
  readonly nvidiaToolkit: string | null;
  /** libnvidia-container, which the toolkit stands on. */
  readonly nvidiaLibrary: string | null;
  /** Version of the loaded NVIDIA driver, wherever it was found out. */
  readonly nvidiaDriver: string | null;
  /** `no-cgroups` of the toolkit's configuration, which rootless engines need; `null` where there is none. */
  readonly nvidiaNoCgroups: boolean | null;
  /** Files of the Container Device Interface that name NVIDIA's GPUs. */
  readonly deviceInterfaces: readonly string[];
  readonly gpus: readonly GpuFacts[];
  readonly warnings: readonly Warning[];
};

export type PackageManager = "apt" | "dnf" | "yum" | "zypper" | "apk" | "pacman";

/** `{ id: "ubuntu", version: "24.04", codename: "noble", like: ["debian"] }`; empty where it is not said. */
export type Release = {
  readonly id: string;
  readonly version: string;
  readonly codename: string;
  readonly like: readonly string[];
};

export type RootlessGround = {
  /** How many subordinate ids /etc/subuid and /etc/subgid give this user. */
  readonly subUids: number;
  readonly subGids: number;
  /** /dev/net/tun */
  readonly tun: "open" | "shut" | "missing";
  /** Why an ordinary user may make no user namespaces; `null` when nothing is known against it. */
  readonly namespacesForbidden: string | null;
  /** Controllers that systemd delegates to this user (control groups v2). */
  readonly delegated: readonly string[];
  /** This user's services run without a login. */
  readonly lingers: boolean;
  /** `/run/user/1000`, where it is there. */
  readonly runtimeFolder: string | null;
};

export type DiskFacts = {
  readonly path: string;
  readonly totalBytes: number;
  readonly freeBytes: number;
};

/** One container engine of the machine, at one socket. */
export type EngineFacts = EngineDescription & {
  readonly endpoint: string;
  /** The one that jobs get where nothing else is said. */
  readonly isDefault: boolean;
  readonly usable: boolean;
  readonly reason?: string;
  readonly remedy?: string;
  /** Only root may open its socket: it is reached with `sudo -n`. */
  readonly throughSudo: boolean;
  readonly version: string | null;
  readonly apiVersion: string | null;
  /** What was tried on it; left out until then. */
  readonly proved?: Proved;
};

/** What an engine showed when it was tried; a sentence says why not. */
export type Proved = {
  /** A container was held to its limit of memory. */
  readonly limits: true | string;
  /** Docker daemons in containers, by mode; `undefined`: not tried. */
  readonly dind?: DindModes;
};

export type GpuFacts = GpuCapability & {
  readonly index: number | null;
  readonly driver: string | null;
  readonly computeCapability: string | null;
  readonly remedy?: string;
  /** `0000:07:00.0` */
  readonly pciAddress: string | null;
  /** Cut into MIG slices, or to be. */
  readonly migMode: boolean;
  /** What computes on it now. */
  readonly processes: readonly GpuProcess[];
  /** What is wrong with it though it works: memory errors and the like. Empty when healthy, or nothing is known. */
  readonly troubles: readonly string[];
  /** What a container is given of a GPU that goes by its device nodes: `/dev/kfd`, `/dev/dri/renderD128`. */
  readonly deviceNodes: readonly string[];
};

export type GpuProcess = {
  readonly pid: number;
  readonly name: string;
  readonly memoryBytes: number | null;
};

export type Warning = { readonly message: string; readonly remedy: string };
