import { setTimeout as sleep } from "node:timers/promises";
import { BerthError } from "../../runner/errors.ts";
import type { ContainerLease, GpuAccess } from "../containers/container-lease.ts";
import type { GpuHold } from "../hosts/host-gpus.ts";
import type { Capability, WithheldGpu } from "../profiles/capability.ts";
import { chooseEngine } from "../profiles/choose-engine.ts";
import { fits } from "../profiles/fits.ts";
import { gpuUnits } from "../profiles/gpu-misfits.ts";
import { matchLabels } from "../profiles/match-labels.ts";
import type { Need } from "../profiles/need.ts";
import { readLabel } from "../profiles/read-label.ts";

/** What one job of a run was given; disposing of it gives the GPUs back, and never throws. */
export type RunLease = AsyncDisposable & {
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
    job: { readonly id: string; readonly labels: readonly string[] },
    options: TakeOptions,
  ): Promise<RunLease | undefined>;
};

type TakeOptions = { progress(line: string): void; readonly signal: AbortSignal };

/** GPUs of the machine beside what this run knows of them: others may run jobs there. */
export type RunGpus = {
  /** Those that others have now. */
  withheld(signal: AbortSignal): Promise<readonly WithheldGpu[]>;
  /** Takes GPUs on the machine itself. */
  claim(
    wish: {
      readonly job: string;
      readonly uuids: readonly string[];
      readonly host: Capability;
      readonly endpoint: string | undefined;
    },
    signal: AbortSignal,
  ): Promise<GpuHold & { readonly access?: GpuAccess }>;
  /** How often to look whether others have given theirs back, in milliseconds. */
  readonly lookEveryMs?: number;
};

const LOOK_EVERY_MS = 2000;

/** Leases of the jobs of one `berth run`. `probe` is asked once, and only when some job's labels need an answer. */
export function openRunLeases(probe: () => Promise<Capability>, machine: RunGpus): RunLeases {
  const taken = new Set<string>();
  let known: Promise<Capability> | undefined;
  let changed = Promise.withResolvers<void>();

  return {
    async take({ id, labels }, options) {
      const need = needOf(labels);
      if (need === undefined) return undefined;
      known ??= probe();
      const host = await known;
      const misfits = fits(need, host);
      if (misfits.length > 0) throw cannotRun(`The host ${host.name} cannot`, misfits);

      const { cpus = 0, memoryBytes = 0, dind: hasDind } = need;
      const endpoint = chooseEngine(need, host.engines)?.endpoint;
      const common = { hasDind, endpoint };
      if (need.gpus === 0) {
        return { ...common, lease: { cpus, memoryBytes }, [Symbol.asyncDispose]: async () => {} };
      }
      const { uuids, hold, access } = await takeGpus({ id, need, host, endpoint }, options);
      return {
        ...common,
        lease: { cpus, memoryBytes, gpus: uuids, gpuAccess: access },
        async [Symbol.asyncDispose]() {
          await hold[Symbol.asyncDispose]();
          giveBack(uuids);
        },
      };
    },
  };

  function giveBack(uuids: readonly string[]): void {
    for (const uuid of uuids) taken.delete(uuid);
    changed.resolve();
    changed = Promise.withResolvers();
  }

  type Wish = {
    readonly id: string;
    readonly need: Need;
    readonly host: Capability;
    readonly endpoint: string | undefined;
  };

  async function takeGpus(wish: Wish, { progress, signal }: TakeOptions) {
    const { lookEveryMs = LOOK_EVERY_MS } = machine;
    let told: string | undefined;
    for (;;) {
      const tried = await tryGpus(wish, signal);
      if (tried.kind === "got") return tried;
      if (tried.why !== told) progress(tried.why);
      told = tried.why;
      const others = tried.isForOthers ? [sleep(lookEveryMs)] : [];
      await Promise.race([changed.promise, aborted(signal), ...others]);
    }
  }

  async function tryGpus({ id, need, host, endpoint }: Wish, signal: AbortSignal) {
    const all = gpuUnits(need, host);
    const inTheWay = new Map<string, string>();
    const ofOthers = (found: readonly WithheldGpu[]) => {
      for (const { uuid, why } of found) inTheWay.set(uuid, `${uuid} ${why}`);
    };
    ofOthers(await machine.withheld(signal));
    for (;;) {
      signal.throwIfAborted();
      const free = all.filter(({ uuid, gpu }) =>
        [uuid, gpu.uuid ?? uuid].every((one) => !taken.has(one) && !inTheWay.has(one)),
      );
      if (free.length < need.gpus) break;
      const uuids = free.slice(0, need.gpus).map(({ uuid }) => uuid);
      for (const uuid of uuids) taken.add(uuid);
      const claiming = machine.claim({ job: id, uuids, host, endpoint }, signal);
      const hold = await claiming.catch((error: unknown) => {
        giveBack(uuids);
        throw error;
      });
      if (hold.taken === undefined) {
        return { kind: "got", uuids, hold, access: hold.access } as const;
      }
      giveBack(uuids);
      ofOthers(hold.taken);
      // Whoever is in the way may be in the way of none that was asked for: no reason to ask for ever.
      if (!hold.taken.some(({ uuid }) => all.some((unit) => unit.uuid === uuid))) break;
    }
    const concerned = all.flatMap(
      ({ uuid, gpu }) => inTheWay.get(uuid) ?? inTheWay.get(gpu.uuid ?? "") ?? [],
    );
    const why =
      concerned.length === 0
        ? "Waiting for GPUs that other jobs of this run have."
        : `Waiting for GPUs: ${[...new Set(concerned)].join(", ")}.`;
    return { kind: "waits", why, isForOthers: inTheWay.size > 0 } as const;
  }
}

/** Labels that mean nothing here say nothing about this machine: `berth run` runs every job. */
function needOf(labels: readonly string[]): Need | undefined {
  const match = matchLabels(labels.filter((label) => readLabel(label, new Map()).known));
  if (match?.kind === "contradiction") throw cannotRun("No host can", [match.why]);
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

function cannotRun(who: string, reasons: readonly string[]): BerthError {
  return new BerthError("HOST_UNUSABLE", {
    message: `${who} run the job: ${reasons.join(" ")}`,
    remedy: "`berth labels` says what it has. Take the label out, or run the job where it fits.",
  });
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
