import type { DindMode } from "./need.ts";

/** What a host proved to have when it was probed. */
export type Capability = {
  readonly name: string;
  /** `x64`, `arm64`, or what the system calls it. */
  readonly arch: string;
  readonly cpus: number;
  readonly memoryBytes: number;
  /** The one that jobs get by default first. */
  readonly engines: readonly EngineCapability[];
  readonly gpus: readonly GpuCapability[];
  /** The same for all hosts that are one machine; left out where it could not be found out. */
  readonly machineId?: string | null | undefined;
};

/** A GPU or a slice that no job may be given now, and why: `is claimed by job 7 of another service`. */
export type WithheldGpu = { readonly uuid: string; readonly why: string };

export type EngineCapability = {
  /** Where it is reached; left out where there is but one way. */
  readonly endpoint?: string;
  readonly usable: boolean;
  readonly rootless: boolean;
  /** Memory and CPU limits hold on it. */
  readonly enforcesLimits: boolean;
  /** How it hands out GPUs of NVIDIA; by their runtime when left out. */
  readonly gpusBy?: "runtime" | "cdi";
  /** Left out: not tried. */
  readonly dind?: DindModes;
};

/** By mode, whether a job's own Docker daemon worked when it was tried; a sentence says why not. A mode that is left out was not tried. */
export type DindModes = { readonly [mode in DindMode]?: true | string };

/** `null` where it could not be found out. */
export type GpuCapability = {
  readonly vendor: "nvidia" | "amd" | "intel";
  readonly uuid: string | null;
  readonly model: string;
  readonly memoryBytes: number | null;
  /** The newest CUDA that its driver runs. */
  readonly cuda: string | null;
  readonly mig: readonly { readonly uuid: string; readonly profile: string }[];
  readonly usable: boolean;
  /** Why it is not usable. */
  readonly reason?: string;
  /** What a container is given of a GPU that goes by its device nodes. */
  readonly deviceNodes?: readonly string[];
};
