import type { Capability, GpuCapability } from "./capability.ts";
import { formatSize } from "./size.ts";

/** A label, or a form of one, and how much of it a host has. */
export type OfferedLabel = {
  readonly label: string;
  readonly meaning: string;
  /** `yes`, `no` with the reason, or how much: `up to 8`. */
  readonly here: string;
  readonly available: boolean;
};

/** Everything that `runs-on` can ask for, and what a host has of it. */
export function offeredLabels({
  name,
  arch,
  cpus,
  memoryBytes,
  engines,
  gpus,
}: Capability): OfferedLabel[] {
  const usable = engines.filter((engine) => engine.usable);
  const hasEngine = usable.length > 0;
  const isLimited = usable.some(({ enforcesLimits }) => enforcesLimits);
  const limit = (amount: string) => (isLimited ? `up to ${amount}` : "no engine enforces limits");
  return [
    offer("berth", "a job for Berth", hasEngine, hasEngine ? "yes" : "no engine can be used"),
    offer("self-hosted, linux", "as GitHub's own", true, "yes"),
    offer(
      "x64, arm64",
      "kind of processor",
      ["x64", "arm64"].includes(arch),
      arch === "x64" || arch === "arm64" ? arch : `neither: ${arch}`,
    ),
    offer("cpu=N", "that many CPUs, enforced", isLimited, limit(String(cpus))),
    offer("mem=SIZE", "that much memory, enforced", isLimited, limit(formatSize(memoryBytes))),
    ...offeredGpus(gpus),
    offer(
      "rootless",
      "an engine without root",
      usable.some(({ rootless }) => rootless),
      usable.some(({ rootless }) => rootless) ? "yes" : "no rootless engine",
    ),
    offer(
      "dind",
      "a Docker daemon of the job's own",
      hasEngine,
      hasEngine ? "not tried" : "no engine can be used",
    ),
    offer("image=NAME", "the job's image", hasEngine, hasEngine ? "any image" : "no engine"),
    offer("host=NAME", "that host", true, `host=${name.toLowerCase()}`),
  ];
}

function offeredGpus(gpus: readonly GpuCapability[]): OfferedLabel[] {
  const usable = gpus.filter((gpu) => gpu.usable);
  const whole = usable.filter(({ mig }) => mig.length === 0);
  const broken = gpus.length - usable.length;
  const none = broken > 0 ? `none usable of ${broken}` : "no GPU";
  const models = [...new Set(whole.map(({ model }) => model))];
  const sizes = whole.flatMap(({ memoryBytes }) => memoryBytes ?? []);
  const cudas = usable.flatMap(({ cuda }) => cuda ?? []);
  const slices = usable.flatMap(({ mig }) => mig.map(({ profile }) => profile));
  const kinds = [...new Set(slices)];
  const amounts = {
    count: whole.length > 0 ? `up to ${whole.length}` : none,
    models: models
      .map((model) => `${whole.filter((gpu) => gpu.model === model).length} × ${model}`)
      .join(", "),
    memory: sizes.length > 0 ? `up to ${formatSize(Math.max(...sizes))}` : none,
    slices: kinds
      .map((kind) => `${slices.filter((one) => one === kind).length} × ${kind}`)
      .join(", "),
  };
  return [
    offer("gpu, gpu=N", "GPUs for this job alone", whole.length > 0, amounts.count),
    offer("gpu=MODEL[:N]", "GPUs of a model", whole.length > 0, amounts.models || none),
    offer("gpu-mem=SIZE", "GPUs with that much memory", sizes.length > 0, amounts.memory),
    offer(
      "cuda=VERSION",
      "a driver that runs it",
      cudas.length > 0,
      cudas[0] === undefined ? none : `up to ${cudas[0]}`,
    ),
    offer("mig=PROFILE", "a MIG slice", slices.length > 0, amounts.slices || "no slices"),
  ];
}

function offer(label: string, meaning: string, available: boolean, here: string): OfferedLabel {
  return { label, meaning, here, available };
}
