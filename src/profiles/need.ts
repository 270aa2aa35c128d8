/** What the container of a job's own Docker daemon may do on its host. */
export type DindMode = "rootless" | "capabilities" | "privileged";

/** What a job asks of the host it runs on. */
export type Need = {
  /** GPUs, or MIG slices where `mig` names one; 0 for none. */
  readonly gpus: number;
  /** Words of the model's name in lower case: `a100`, `rtx-4090`. */
  readonly gpuModel?: string;
  /** Of each GPU. */
  readonly gpuMemoryBytes?: number;
  /** The least CUDA that the driver must be able to run: `12.4`. */
  readonly cuda?: string;
  /** Profile of a MIG slice: `1g.10gb`. */
  readonly mig?: string;
  readonly arch?: "x64" | "arm64";
  readonly rootless: boolean;
  readonly dind: boolean;
  /** Where it gets a Docker daemon; `rootless` when left out. */
  readonly dindMode?: DindMode;
  /** Reserved and enforced; may be a fraction. */
  readonly cpus?: number;
  /** Reserved and enforced. */
  readonly memoryBytes?: number;
  readonly image?: string;
  /** Name of a host in lower case. */
  readonly host?: string;
  /** Name of a profile in lower case. */
  readonly profile?: string;
};

/** What one label adds to a need; `gpu` is a GPU without a word about how many. */
export type Wish = Partial<Need> & { readonly gpu?: true };

/** The profiles of the configuration by name in lower case, each with what it needs. */
export type Profiles = ReadonlyMap<string, Wish>;
