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
  /** Swap beside the memory may be as large as asked; else there is none. */
  readonly allowsSwap?: boolean;
};

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
  return lease.gpus === undefined ? within : withGpus(within, lease.gpus, getsGpus);
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
  gpus: readonly string[],
  getsGpus: "always" | "asked",
): ContainerWish {
  const requests = wish.options.host.DeviceRequests ?? [];
  const others = requests.filter((request) => !isForGpus(request));
  const asks = others.length < requests.length;
  if (asks && gpus.length === 0) throw notLeased();

  const isGiven = gpus.length > 0 && (asks || getsGpus === "always");
  const leased = { Driver: "nvidia", DeviceIDs: gpus, Capabilities: [["gpu"]] };
  const host = { ...wish.options.host, DeviceRequests: isGiven ? [...others, leased] : others };
  const env = wish.env.filter((entry) => entry.split("=", 1)[0] !== NVIDIA_VARIABLE);
  return {
    ...wish,
    // What was given the engine puts there itself.
    env: isGiven ? env : [...env, `${NVIDIA_VARIABLE}=void`],
    options: { ...wish.options, host },
  };
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
