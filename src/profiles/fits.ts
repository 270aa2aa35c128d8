import type { Capability } from "./capability.ts";
import { gpuMisfits } from "./gpu-misfits.ts";
import type { Need } from "./need.ts";
import { formatSize } from "./size.ts";

/** Why a host could never run a job with this need, one sentence a reason; empty when it could. What is in use now does not count. */
export function fits(need: Need, host: Capability): string[] {
  return [
    ...hostMisfits(need, host),
    ...engineMisfits(need, host),
    ...(need.gpus > 0 ? gpuMisfits(need, host) : []),
  ];
}

function hostMisfits(need: Need, { name, arch, cpus, memoryBytes }: Capability): string[] {
  const reasons: string[] = [];
  if (need.host !== undefined && need.host !== name.toLowerCase()) {
    reasons.push(`The job asks for the host ${need.host}, and this is ${name}.`);
  }
  if (need.arch !== undefined && need.arch !== arch) {
    reasons.push(`${name} has ${arch} processors, and the job needs ${need.arch}.`);
  }
  if (need.cpus !== undefined && need.cpus > cpus) {
    reasons.push(`${name} has ${count(cpus, "CPU")}, and the job needs ${need.cpus}.`);
  }
  if (need.memoryBytes !== undefined && need.memoryBytes > memoryBytes) {
    const [there, wanted] = [formatSize(memoryBytes), formatSize(need.memoryBytes)];
    reasons.push(`${name} has ${there} of memory, and the job needs ${wanted}.`);
  }
  return reasons;
}

function engineMisfits(need: Need, { name, engines }: Capability): string[] {
  const usable = engines.filter((engine) => engine.usable);
  if (usable.length === 0) return [`${name} has no container engine that can be used.`];
  const fitting = usable.filter(({ rootless }) => rootless || !need.rootless);
  if (fitting.length === 0) {
    return [
      `None of the ${count(usable.length, "engine")} of ${name} runs rootless, and the job needs one that does.`,
    ];
  }
  if (need.dind) {
    const { dindMode = "rootless" } = need;
    const whyNot = fitting.map(({ dind }) => dind?.[dindMode]);
    if (whyNot.every((why) => typeof why === "string")) {
      return [
        `No Docker daemon in the mode ${dindMode} works in a container of ${name}, and the job needs one (dind). ${whyNot[0]}`,
      ];
    }
  }
  const isLimited = need.cpus !== undefined || need.memoryBytes !== undefined;
  if (isLimited && !fitting.some(({ enforcesLimits }) => enforcesLimits)) {
    const which = need.rootless ? "rootless engine" : "engine";
    return [
      `The job reserves CPU or memory, and no ${which} of ${name} can enforce such limits (${fitting.length} looked at).`,
    ];
  }
  return [];
}

function count(amount: number, noun: string): string {
  return `${amount} ${amount === 1 ? noun : `${noun}s`}`;
}
