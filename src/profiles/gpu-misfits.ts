import type { Capability, GpuCapability } from "./capability.ts";
import type { Need } from "./need.ts";
import { formatSize } from "./size.ts";

/**
 * What driver and error correction may keep of the memory a GPU is sold with: a T4 "16 GB" shows 15109 MiB, an H100 "80 GB" 81559 MiB. The next
 * smaller card on the market is always further away.
 */
const KEPT_SHARE = 0.08;

/** Why the GPUs of a host do not do, in sentences; empty when they do. */
export function gpuMisfits(need: Need, { name, gpus }: Capability): string[] {
  const usable = gpus.filter((gpu) => gpu.usable);
  if (usable.length === 0) return [noUsable(name, gpus)];
  let left = usable;
  for (const { keeps, why } of demandsOf(need, gpus.length - usable.length)) {
    const kept = left.filter(keeps);
    if (kept.length < (need.mig === undefined ? need.gpus : 1)) return [why(name, left, kept)];
    left = kept;
  }
  const units = unitsOf(need, left).length;
  return units < need.gpus
    ? [`${name} has ${units} MIG slices ${need.mig}, and the job needs ${need.gpus}.`]
    : [];
}

/** What is leased to a job: a whole GPU, or a slice of one. */
export type GpuUnit = {
  readonly uuid: string;
  readonly gpu: GpuCapability;
};

/** All that a host has for a need, whoever uses it now; a job is leased as many of them as it needs GPUs. */
export function gpuUnits(need: Need, { gpus }: Capability): GpuUnit[] {
  const demands = demandsOf(need, 0);
  const fitting = gpus.filter((gpu) => gpu.usable && demands.every(({ keeps }) => keeps(gpu)));
  return unitsOf(need, fitting).flatMap(({ uuid, gpu }) => (uuid === null ? [] : [{ uuid, gpu }]));
}

function unitsOf(
  { mig }: Need,
  gpus: readonly GpuCapability[],
): { uuid: string | null; gpu: GpuCapability }[] {
  if (mig === undefined) return gpus.map((gpu) => ({ uuid: gpu.uuid, gpu }));
  return gpus.flatMap((gpu) =>
    gpu.mig.filter(({ profile }) => profile === mig).map(({ uuid }) => ({ uuid, gpu })),
  );
}

type Demand = {
  readonly keeps: (gpu: GpuCapability) => boolean;
  /** `left`: what was asked before; `kept`: those of them that this demand keeps. */
  readonly why: (
    host: string,
    left: readonly GpuCapability[],
    kept: readonly GpuCapability[],
  ) => string;
};

/** In the order in which people think of them, so that the reason is the first thing to change. */
function demandsOf(
  { gpus, gpuModel, gpuMemoryBytes, cuda, mig }: Need,
  unusable: number,
): Demand[] {
  const demands: Demand[] = [];
  const howMany = (kept: readonly unknown[]) =>
    kept.length === 0 ? "none" : `only ${kept.length} of the ${gpus} needed`;
  if (gpuModel !== undefined) {
    demands.push({
      keeps: ({ model }) => isOfModel(model, gpuModel),
      why: (host, left, kept) =>
        `${host} has ${gpuCount(left.length)} (${modelsOf(left)}), ${howMany(kept)} of the model ${gpuModel}.`,
    });
  }
  demands.push(
    mig === undefined
      ? {
          keeps: (gpu) => gpu.mig.length === 0,
          why: (host, left, kept) => tooFew(host, { gpus, unusable, left, kept }),
        }
      : {
          keeps: (gpu) => gpu.mig.some(({ profile }) => profile === mig),
          why: (host, left) =>
            `${host} has no MIG slice ${mig} on its ${gpuCount(left.length)}; ${slicesOf(left)}.`,
        },
  );
  if (mig === undefined) {
    demands.push({
      keeps: ({ uuid }) => uuid !== null,
      why: (host, left) =>
        `${host} has ${gpuCount(left.length)}, and without its UUID, which could not be found out, a GPU can be leased to no job.`,
    });
  }
  if (gpuMemoryBytes !== undefined && mig === undefined) {
    demands.push({
      keeps: ({ memoryBytes }) => (memoryBytes ?? 0) >= gpuMemoryBytes * (1 - KEPT_SHARE),
      why: (host, left, kept) =>
        `${host} has ${gpuCount(left.length)} with ${memoriesOf(left)} of memory, ${howMany(kept)} with ${formatSize(gpuMemoryBytes)}.`,
    });
  }
  if (cuda !== undefined) {
    demands.push({
      keeps: (gpu) => gpu.cuda !== null && isAtLeast(gpu.cuda, cuda),
      why: (host, left) =>
        `The driver of ${host} runs CUDA up to ${left.map((gpu) => gpu.cuda ?? "none").find(Boolean)}, and the job needs ${cuda}.`,
    });
  }
  return demands;
}

function tooFew(
  host: string,
  {
    gpus,
    unusable,
    left,
    kept,
  }: {
    gpus: number;
    unusable: number;
    left: readonly GpuCapability[];
    kept: readonly GpuCapability[];
  },
): string {
  const sliced = left.length - kept.length;
  if (sliced > 0) {
    return `${host} has ${gpuCount(left.length)}, ${sliced} of them cut into MIG slices, and the job needs ${gpus} whole.`;
  }
  const besides = unusable === 0 ? "" : `, besides ${unusable} that cannot be used`;
  return `${host} has ${gpuCount(left.length)}${besides}, and the job needs ${gpus}.`;
}

/**
 * `a100` is a word of "NVIDIA A100-SXM4-80GB", `rtx-4090` and `rtx4090` two of "NVIDIA GeForce RTX 4090"; `a100-80gb` are two words of the first as well, and
 * `a10` is none.
 */
export function isOfModel(model: string, wanted: string): boolean {
  const [words, sought] = [wordsOf(model), wordsOf(wanted)];
  const isJoined = words.some((_, from) => {
    const runs = words.slice(from).map((_, at) => words.slice(from, from + at + 1).join(""));
    return runs.includes(sought.join(""));
  });
  return isJoined || sought.every((word) => words.includes(word));
}

const wordsOf = (text: string): string[] => text.toLowerCase().match(/[a-z0-9]+/g) ?? [];

/** Compares versions such as `12.4` number by number. */
export function isAtLeast(version: string, least: string): boolean {
  const [a, b] = [version, least].map((text) => text.split(".").map(Number));
  for (let at = 0; at < Math.max(a?.length ?? 0, b?.length ?? 0); at++) {
    const difference = (a?.[at] ?? 0) - (b?.[at] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return true;
}

function noUsable(host: string, gpus: readonly GpuCapability[]): string {
  const [first] = gpus;
  if (first === undefined) return `${host} has no GPU.`;
  return `${host} has ${gpuCount(gpus.length)} (${modelsOf(gpus)}), none of which can be used: ${first.reason ?? "it was not said why"}`;
}

const gpuCount = (amount: number) => `${amount} ${amount === 1 ? "GPU" : "GPUs"}`;

function modelsOf(gpus: readonly GpuCapability[]): string {
  return [...new Set(gpus.map(({ model }) => model))].join(", ");
}

function memoriesOf(gpus: readonly GpuCapability[]): string {
  const sizes = gpus.map(({ memoryBytes }) =>
    memoryBytes === null ? "an unknown amount" : formatSize(memoryBytes),
  );
  return [...new Set(sizes)].join(", ");
}

function slicesOf(gpus: readonly GpuCapability[]): string {
  const profiles = gpus.flatMap(({ mig }) => mig.map(({ profile }) => profile));
  if (profiles.length === 0) return "none is cut into slices";
  return `there are ${[...new Set(profiles)].map((one) => `${profiles.filter((p) => p === one).length} × ${one}`).join(", ")}`;
}
