import { BerthError } from "../../runner/errors.ts";
import type { ContainerWish } from "./container-request.ts";
import type { DeviceRequest, HostSettings } from "./options/container-options.ts";

/** What was promised to a job: no container of it gets more. */
export type ContainerLease = {
  /** May be a fraction; 0: not limited. */
  readonly cpus: number;
  /** 0: not limited. */
  readonly memoryBytes: number;
  /** UUIDs of GPUs and MIG slices. Absent: nothing is leased here, and `--gpus` means what it means to Docker. */
  readonly gpus?: readonly string[] | undefined;
  /** How the engine hands them out; by NVIDIA's runtime when left out. */
  readonly gpuAccess?: GpuAccess | undefined;
  /** Swap beside the memory may be as large as asked; else there is none. */
  readonly allowsSwap?: boolean;
};

/** How an engine gives a container its GPUs. */
export type GpuAccess =
  /** NVIDIA's runtime, or its hook. */
  | { readonly by: "runtime" }
  /** The Container Device Interface, where each GPU is named by its UUID. */
  | { readonly by: "cdi" }
  /** Device nodes, and the ids of the groups that may open them. */
  | { readonly by: "nodes"; readonly nodes: readonly string[]; readonly groups: readonly string[] };

/** Read by NVIDIA's container runtime, which an engine may have as its default; images with CUDA say `all` in it. */
const NVIDIA_VARIABLE = "NVIDIA_VISIBLE_DEVICES";

/**
 * Holds a container to its job's lease: limits are lowered to it, and the leased GPUs stand in for those that its author asked for.
 *
 * @param options `getsGpus`: in any case, or only when its options ask for some.
 * @throws {BerthError} `CONTAINER_OPTION` when it asks for GPUs and none are leased.
 */
export function withLease(
  wish: ContainerWish,
  lease: ContainerLease | undefined,
  { getsGpus }: { readonly getsGpus: "always" | "asked" },
): ContainerWish {
  if (lease === undefined) return wish;
  const limited = { ...wish.options.host, ...limitsOf(wish.options.host, lease) };
  if (lease.cpus > 0) {
    // Another way to say the same, and the engine refuses both together.
    delete limited.CpuQuota;
    delete limited.CpuPeriod;
  }
  const within = { ...wish, options: { ...wish.options, host: limited } };
  const { gpus, gpuAccess = { by: "runtime" } } = lease;
  return gpus === undefined ? within : withGpus(within, { gpus, gpuAccess }, getsGpus);
}

function limitsOf(host: HostSettings, lease: ContainerLease): HostSettings {
  const { cpus, memoryBytes, allowsSwap = false } = lease;
  const limits: HostSettings = {};
  if (cpus > 0) limits.NanoCpus = atMost(Math.round(cpus * 1e9), askedNanoCpus(host));
  if (memoryBytes > 0) {
    limits.Memory = atMost(memoryBytes, host.Memory);
    if (!allowsSwap || host.MemorySwap === undefined) limits.MemorySwap = limits.Memory;
  }
  return limits;
}

function askedNanoCpus({ NanoCpus, CpuQuota, CpuPeriod = 100_000 }: HostSettings) {
  return NanoCpus ?? (CpuQuota === undefined ? undefined : (CpuQuota / CpuPeriod) * 1e9);
}

/** Zero and less mean no limit to an engine. */
function atMost(limit: number, asked: number | undefined): number {
  return asked === undefined || asked <= 0 ? limit : Math.min(limit, Math.round(asked));
}

function withGpus(
  wish: ContainerWish,
  { gpus, gpuAccess }: { readonly gpus: readonly string[]; readonly gpuAccess: GpuAccess },
  getsGpus: "always" | "asked",
): ContainerWish {
  const requests = wish.options.host.DeviceRequests ?? [];
  const others = requests.filter((request) => !isForGpus(request));
  const asks = others.length < requests.length;
  if (asks && gpus.length === 0) throw notLeased();

  const env = wish.env.filter((entry) => nameOf(entry) !== NVIDIA_VARIABLE);
  const without = { ...wish.options.host, DeviceRequests: others };
  if (gpus.length === 0 || !(asks || getsGpus === "always")) {
    const hidden = [...env, `${NVIDIA_VARIABLE}=void`];
    return { ...wish, env: hidden, options: { ...wish.options, host: without } };
  }
  const host = { ...without, ...gpuSettings(gpus, gpuAccess, without) };
  return {
    ...wish,
    // What was given the engine puts into NVIDIA_VISIBLE_DEVICES itself.
    env: gpuAccess.by === "nodes" ? env : [...env, ...cudaVariable(env, gpus)],
    options: { ...wish.options, host },
  };
}

/** What gives a container exactly these GPUs, beside the devices and groups that it has already. */
export function gpuSettings(
  gpus: readonly string[],
  access: GpuAccess,
  { DeviceRequests = [], Devices = [], GroupAdd = [] }: HostSettings = {},
): Pick<HostSettings, "DeviceRequests" | "Devices" | "GroupAdd"> {
  switch (access.by) {
    case "runtime": {
      const request = { Driver: "nvidia", DeviceIDs: gpus, Capabilities: [["gpu"]] };
      return { DeviceRequests: [...DeviceRequests, request] };
    }
    case "cdi": {
      const names = gpus.map((uuid) => `nvidia.com/gpu=${uuid}`);
      return { DeviceRequests: [...DeviceRequests, { Driver: "cdi", DeviceIDs: names }] };
    }
    case "nodes": {
      const nodes = access.nodes.map((path) => ({
        PathOnHost: path,
        PathInContainer: path,
        CgroupPermissions: "rwm",
      }));
      return { Devices: [...Devices, ...nodes], GroupAdd: [...GroupAdd, ...access.groups] };
    }
    default:
      return access satisfies never;
  }
}

/**
 * A container's GPUs are counted from 0, whichever they are on their machine; programs that read numbers out of this variable fail at UUIDs. Slices have
 * no numbers. An author may have fewer.
 */
function cudaVariable(env: readonly string[], gpus: readonly string[]): string[] {
  const name = "CUDA_VISIBLE_DEVICES";
  if (env.some((entry) => nameOf(entry) === name)) return [];
  const isSliced = gpus.some((uuid) => uuid.startsWith("MIG-"));
  return [`${name}=${(isSliced ? gpus : gpus.map((_, at) => at)).join()}`];
}

function nameOf(entry: string): string {
  return entry.split("=", 1)[0] ?? "";
}

function isForGpus({ Driver, DeviceIDs = [], Capabilities = [] }: DeviceRequest): boolean {
  const isNamed = Driver === "cdi" && DeviceIDs.some((id) => /\/gpu=/.test(id));
  return isNamed || Capabilities.flat().includes("gpu");
}

function notLeased(): BerthError {
  return new BerthError("CONTAINER_OPTION", {
    message: "The container's options ask for GPUs, and the job's labels do not.",
    remedy: "Add gpu, or gpu=2 and the like, to runs-on: GPUs are leased to one job at a time.",
  });
}
