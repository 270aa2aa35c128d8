import type { Need, Profiles, Wish } from "./need.ts";
import { readLabel } from "./read-label.ts";
import { formatSize } from "./size.ts";

/** What a job's labels come to: a need, or why they cannot all hold. */
export type LabelMatch =
  | { readonly kind: "need"; readonly need: Need }
  | { readonly kind: "contradiction"; readonly why: string };

const NO_PROFILES: Profiles = new Map();

/**
 * What a job's `runs-on` labels ask for. `undefined` when one of them means nothing here: the job is not ours, another runner may
 * take it. Labels that contradict each other are ours to refuse, in words.
 */
export function matchLabels(
  labels: readonly string[],
  profiles: Profiles = NO_PROFILES,
): LabelMatch | undefined {
  const wishes: { label: string; wish: Wish }[] = [];
  for (const label of labels) {
    const reading = readLabel(label, profiles);
    if (!reading.known) return undefined;
    wishes.push({ label: label.trim(), wish: reading.wish });
  }
  const joined = joinWishes(wishes);
  if (typeof joined === "string") return { kind: "contradiction", why: joined };
  const why = contradictionWithin(joined);
  return why === undefined
    ? { kind: "need", need: needOf(joined) }
    : { kind: "contradiction", why };
}

/**
 * Whether the service may take a job with these labels, which `matchLabels` understands. `named`: one of them must be `berth` or a
 * profile's name, so that runners that an organisation already has keep their jobs. `labels`: all that is understood.
 */
export function isAddressed(
  labels: readonly string[],
  { profiles = NO_PROFILES, claim }: { profiles?: Profiles; claim: "named" | "labels" },
): boolean {
  const names = labels.map((label) => label.trim().toLowerCase());
  return claim === "labels" || names.some((name) => name === "berth" || profiles.has(name));
}

/** What there can only be one of in a job. */
const ONE_OF: { readonly [field in keyof Wish]: string } = {
  gpus: "one number of GPUs",
  gpuModel: "one model of GPU",
  gpuMemoryBytes: "one amount of GPU memory",
  cuda: "one version of CUDA",
  mig: "one kind of MIG slice",
  arch: "one kind of processor",
  cpus: "one number of CPUs",
  memoryBytes: "one amount of memory",
  image: "one image",
  host: "one host",
  profile: "one profile",
};

/** All wishes in one, or why there is none. */
function joinWishes(wishes: readonly { label: string; wish: Wish }[]): Wish | string {
  const saidBy = new Map<string, { label: string; value: unknown }>();
  for (const { label, wish } of wishes) {
    for (const [field, value] of Object.entries(wish)) {
      const earlier = saidBy.get(field);
      const only = ONE_OF[field as keyof Wish];
      if (earlier !== undefined && only !== undefined && earlier.value !== value) {
        return `The labels ${earlier.label} and ${label} contradict each other: a job has ${only}.`;
      }
      // What only allows (`rootless: false` of a profile) gives way to what asks.
      if (earlier === undefined || value === true) saidBy.set(field, { label, value });
    }
  }
  return Object.fromEntries([...saidBy].map(([field, { value }]) => [field, value]));
}

function contradictionWithin({ mig, gpus = 1, gpuMemoryBytes }: Wish): string | undefined {
  if (mig === undefined) return undefined;
  if (gpus > 1) {
    return `The labels ask for ${gpus} GPUs and for the MIG slice ${mig}, which is a part of one.`;
  }
  const sliceBytes = Number(/\.(\d+)gb/.exec(mig)?.[1]) * 1024 ** 3;
  if (gpuMemoryBytes !== undefined && gpuMemoryBytes > sliceBytes) {
    return `The labels ask for ${formatSize(gpuMemoryBytes)} of GPU memory, and the MIG slice ${mig} has ${formatSize(sliceBytes)}.`;
  }
  return undefined;
}

function needOf({ gpu, ...wish }: Wish): Need {
  const { gpuModel, gpuMemoryBytes, cuda, mig } = wish;
  const wantsOne = [gpu, gpuModel, gpuMemoryBytes, cuda, mig].some((one) => one !== undefined);
  return { rootless: false, dind: false, ...wish, gpus: wish.gpus ?? (wantsOne ? 1 : 0) };
}
