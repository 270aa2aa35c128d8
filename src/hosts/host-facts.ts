import type { EngineDescription } from "../containers/describe-engine.ts";
import type { GpuCapability } from "../profiles/capability.ts";

/** What probing a machine found out. Sizes are in bytes; `null` is what could not be found out. */
export type HostFacts = {
  readonly name: string;
  /** `linux` */
  readonly os: string;
  /** `Debian GNU/Linux 12 (bookworm)` */
  readonly distribution: string | null;
  readonly kernel: string;
  readonly arch: string;
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly disks: readonly DiskFacts[];
  readonly user: string | null;
  /** Root, or `sudo` works without a password. */
  readonly sudo: boolean;
  readonly cgroupVersion: "1" | "2" | null;
  /** Programs of interest and where they are. */
  readonly programs: { readonly [name: string]: string };
  readonly engines: readonly EngineFacts[];
  readonly runc: string | null;
  readonly nvidiaToolkit: string | null;
  readonly gpus: readonly GpuFacts[];
  readonly warnings: readonly Warning[];
};

export type DiskFacts = {
  readonly path: string;
  readonly totalBytes: number;
  readonly freeBytes: number;
};

/** One container engine of the machine, at one socket. */
export type EngineFacts = Omit<EngineDescription, "id"> & {
  readonly endpoint: string;
  /** The one that `berth run` uses. */
  readonly isDefault: boolean;
  readonly usable: boolean;
  readonly reason?: string;
  readonly remedy?: string;
  readonly version: string | null;
  readonly apiVersion: string | null;
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
};

export type GpuProcess = {
  readonly pid: number;
  readonly name: string;
  readonly memoryBytes: number | null;
};

export type Warning = { readonly message: string; readonly remedy: string };
