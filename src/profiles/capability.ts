/** What a host proved to have when it was probed. */
export type Capability = {
  readonly name: string;
  /** `x64`, `arm64`, or what the system calls it. */
  readonly arch: string;
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly engines: readonly EngineCapability[];
  readonly gpus: readonly GpuCapability[];
};

export type EngineCapability = {
  readonly usable: boolean;
  readonly rootless: boolean;
  /** Memory and CPU limits hold on it. */
  readonly enforcesLimits: boolean;
};

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
};
