import { BerthError } from "../../runner/errors.ts";
import type { ContainerLease } from "../containers/container-lease.ts";
import type { Capability } from "../profiles/capability.ts";
import { chooseEngine } from "../profiles/choose-engine.ts";
import { fits } from "../profiles/fits.ts";
import { gpuUnits } from "../profiles/gpu-misfits.ts";
import { matchLabels } from "../profiles/match-labels.ts";
import type { Need } from "../profiles/need.ts";
import { readLabel } from "../profiles/read-label.ts";

/** What one job of a run was given; disposing of it gives the GPUs back. */
export type RunLease = Disposable & {
  readonly lease: ContainerLease;
  /** It gets a Docker daemon of its own. */
  readonly hasDind: boolean;
  /** Of the engine that has what the job needs; `undefined`: there is but one. */
  readonly endpoint: string | undefined;
};

export type RunLeases = {
  /**
   * What a job's labels ask of this machine, once it is free; `undefined` when they ask for nothing that is leased.
   *
   * @throws {BerthError} `HOST_UNUSABLE` when this machine could never have it.
   */
  take(
    labels: readonly string[],
    options: { progress(line: string): void; readonly signal: AbortSignal },
  ): Promise<RunLease | undefined>;
};

/** Leases of the jobs of one `berth run`. `probe` is asked once, and only when some job's labels need an answer. */
export function openRunLeases(probe: () => Promise<Capability>): RunLeases {
  const taken = new Set<string>();
  let known: Promise<Capability> | undefined;
  let changed = Promise.withResolvers<void>();

  return {
    async take(labels, { progress, signal }) {
      const need = needOf(labels);
      if (need === undefined) return undefined;
      known ??= probe();
      const host = await known;
      const misfits = fits(need, host);
      if (misfits.length > 0) throw cannotRun(misfits);

      const { cpus = 0, memoryBytes = 0, dind: hasDind } = need;
      const endpoint = chooseEngine(need, host.engines)?.endpoint;
      if (need.gpus === 0) {
        return { lease: { cpus, memoryBytes }, hasDind, endpoint, [Symbol.dispose]: () => {} };
      }
      const gpus = await takeGpus(need, host, { progress, signal });
      return {
        lease: { cpus, memoryBytes, gpus },
        ...{ hasDind, endpoint },
        [Symbol.dispose]() {
          for (const uuid of gpus) taken.delete(uuid);
          changed.resolve();
          changed = Promise.withResolvers();
        },
      };
    },
  };

  async function takeGpus(
    need: Need,
    host: Capability,
    { progress, signal }: { progress(line: string): void; readonly signal: AbortSignal },
  ): Promise<string[]> {
    for (let isFirst = true; ; isFirst = false) {
      signal.throwIfAborted();
      const free = gpuUnits(need, host).filter(({ uuid }) => !taken.has(uuid));
      if (free.length >= need.gpus) {
        const gpus = free.slice(0, need.gpus).map(({ uuid }) => uuid);
        for (const uuid of gpus) taken.add(uuid);
        return gpus;
      }
      if (isFirst) progress("Waiting for GPUs that other jobs of this run have.");
      await Promise.race([changed.promise, aborted(signal)]);
    }
  }
}

/** Labels that mean nothing here say nothing about this machine: `berth run` runs every job. */
function needOf(labels: readonly string[]): Need | undefined {
  const match = matchLabels(labels.filter((label) => readLabel(label, new Map()).known));
  if (match?.kind === "contradiction") throw cannotRun([match.why]);
  if (match === undefined) return undefined;
  const { need } = match;
  const asks = [need.gpus > 0, need.rootless, need.dind, need.cpus, need.memoryBytes, need.host];
  // What kind of processor it is meant for, its image decides here.
  return asks.some(Boolean) ? { ...without(need, "arch") } : undefined;
}

function without(need: Need, name: "arch"): Need {
  const { [name]: _, ...rest } = need;
  return rest;
}

function cannotRun(reasons: readonly string[]): BerthError {
  return new BerthError("HOST_UNUSABLE", {
    message: `This machine cannot run the job: ${reasons.join(" ")}`,
    remedy: "`berth labels` says what it has. Take the label out, or run the job where it fits.",
  });
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
