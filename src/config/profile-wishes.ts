import type { Profiles, Wish } from "../profiles/need.ts";
import type { Needs, Profile } from "./profile.ts";

/** What each profile of the configuration asks for, by its name in lower case, as labels are matched. */
export function profileWishes(profiles: { readonly [name: string]: Profile }): Profiles {
  return new Map(
    Object.entries(profiles).map(([name, { needs, dind }]) => [
      name.toLowerCase(),
      { ...wishOf(needs), ...(dind !== undefined && { dindMode: dind.mode }) },
    ]),
  );
}

function wishOf({ gpu, cpus, memory, arch, rootless, dind, host }: Needs): Wish {
  return {
    ...(gpu !== undefined && gpuWish(gpu)),
    ...(cpus !== undefined && { cpus }),
    ...(memory !== undefined && { memoryBytes: memory.bytes }),
    ...(arch !== undefined && { arch }),
    ...(host !== undefined && { host: host.toLowerCase() }),
    rootless,
    dind,
  };
}

function gpuWish({ count, model, memory, cuda, mig }: NonNullable<Needs["gpu"]>): Wish {
  return {
    gpu: true,
    gpus: count,
    ...(model !== undefined && { gpuModel: model.toLowerCase() }),
    ...(memory !== undefined && { gpuMemoryBytes: memory.bytes }),
    // As the label says it, so that cuda=12.0 beside a profile with "12" is no contradiction.
    ...(cuda !== undefined && { cuda: cuda.includes(".") ? cuda : `${cuda}.0` }),
    ...(mig !== undefined && { mig }),
  };
}
