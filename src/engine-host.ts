import type PQueue from "p-queue";
import { BerthError, textOf } from "../runner/errors.ts";
import { containerPlaces } from "./container-places.ts";
import type { Engine } from "./containers/connect-engine.ts";
import type { ContainerLease } from "./containers/container-lease.ts";
import type { UserIds } from "./containers/container-user.ts";
import { jobsOfService, removeJob } from "./containers/gc.ts";
import { SERVED_LABEL } from "./containers/labels.ts";
import type { Leak } from "./containers/remove-objects.ts";
import { dindOfTerms } from "./dind-of-terms.ts";
import type { HostPlaces, PlaceTerms } from "./fleet/host-places.ts";
import { capabilityOf } from "./hosts/capability-of.ts";
import type { Capability } from "./profiles/capability.ts";
import { chooseEngine } from "./profiles/choose-engine.ts";
import { type ReadyEngine, type ReadyEnginesOptions, readyEngines } from "./ready-engines.ts";

export type EngineHostOptions = ReadyEnginesOptions & {
  readonly slots: number;
  /** On all that is made for jobs, so that the next life of this service finds it. */
  readonly serviceId: string;
};

/** Jobs that run already come before those that are to begin. */
const COMING_BACK = 1;

/**
 * A machine's container engines as a host, wherever the machine is. None need answer yet: each `probe` looks for them anew and makes what they lack. The
 * host is closed together with this, and not before.
 */
export function openEngineHost(options: EngineHostOptions): HostPlaces {
  const { access, slots, serviceId, log } = options;
  const { name } = access;
  const engines = readyEngines(options);
  const knownUsers = new Map<string, UserIds>();
  let known: Capability | undefined;
  const onLeak = ({ kind, id, cause }: Leak) =>
    log.warn({ host: name, kind, id, cause: textOf(cause) }, "could not be removed yet");

  async function look(signal: AbortSignal): Promise<Capability> {
    // Berth's own engine is started again before anybody looks for it.
    await access.engine(undefined, signal);
    const capability = capabilityOf(await access.probe(signal), name, {
      onlyDefault: access.hasNamedEngine,
    });
    await engines.anew(capability.engines[0]?.endpoint, signal);
    known = capability;
    return capability;
  }

  async function engineFor(need: PlaceTerms["need"], signal: AbortSignal): Promise<ReadyEngine> {
    const capability = known ?? (await look(signal));
    const chosen = chooseEngine(need, capability.engines) ?? capability.engines[0];
    return await engines.once(chosen?.endpoint, signal);
  }

  /** All that this host's jobs may be on; those that do not answer now are left out. */
  async function everyEngine(): Promise<Engine[]> {
    const signal = AbortSignal.timeout(60_000);
    const usable = known?.engines.filter((engine) => engine.usable) ?? [{ endpoint: undefined }];
    const opened = await Promise.allSettled(
      usable.map(({ endpoint }) => access.engine(endpoint, signal)),
    );
    const [first] = opened;
    if (first?.status === "rejected") throw first.reason;
    return opened.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
  }

  return {
    name,
    slots,
    async probe(signal) {
      try {
        return await look(signal);
      } catch (error) {
        signal.throwIfAborted();
        throw unusable(name, error);
      }
    },
    openPlace: (terms) => async (request, opening) => {
      const ready = await engineFor(terms.need, opening.signal);
      const place = placeOptions(ready, options, terms);
      const open = containerPlaces({ ...place, knownUsers, onLeak });
      const isComingBack = (opening.journal?.checkpoints.length ?? 0) > 0;
      return await inTurn(ready.opening, () => open(request, opening), {
        priority: isComingBack ? COMING_BACK : 0,
        signal: opening.signal,
      });
    },
    async removeJob(jobId) {
      try {
        for (const { docker } of await everyEngine()) await removeJob(docker, jobId, onLeak);
      } catch (error) {
        log.warn({ host: name, job: jobId, cause: textOf(error) }, "could not be removed yet");
      }
    },
    async jobsWithRemains() {
      const found = await Promise.all(
        (await everyEngine()).map(({ docker }) => jobsOfService(docker, serviceId)),
      );
      return [...new Set(found.flat())];
    },
    // Jobs outlive the service.
    [Symbol.asyncDispose]: () => access[Symbol.asyncDispose](),
  };
}

function placeOptions(
  { engine, jobImage, nodeVolume, isGuarded }: ReadyEngine,
  { access, serviceId, connect }: EngineHostOptions,
  terms: PlaceTerms,
) {
  const { lease, image, settings } = terms;
  return {
    engine,
    hostName: access.name,
    nodeVolume,
    jobImage,
    imageFor: () => image || settings?.image || jobImage,
    labels: { [SERVED_LABEL]: serviceId },
    settings,
    lease: containerLease(lease, settings),
    dind: dindOfTerms(engine, terms, { stateFolder: connect.stateDir }),
    hasGuardedNetwork: isGuarded,
  };
}

function containerLease(
  { cpus, memoryBytes, gpus }: PlaceTerms["lease"],
  settings: PlaceTerms["settings"],
): ContainerLease {
  return {
    cpus,
    memoryBytes,
    gpus,
    allowsSwap: settings?.resources?.memorySwap !== undefined,
  };
}

function unusable(name: string, error: unknown): BerthError {
  if (error instanceof BerthError && error.code === "HOST_UNUSABLE") return error;
  const remedy = error instanceof BerthError ? error.remedy : undefined;
  return new BerthError("HOST_UNUSABLE", {
    message: `The host ${name} cannot run jobs now. ${textOf(error)}`,
    remedy: remedy ?? "See `berth doctor` and `berth host probe` on that machine.",
    cause: error,
  });
}

/** Waits only as long as `signal` lets it. Once it is its turn, what is opened has to end by itself: it has something to remove. */
async function inTurn<T>(
  queue: PQueue,
  open: () => Promise<T>,
  { priority, signal }: { readonly priority: number; readonly signal: AbortSignal },
): Promise<T> {
  const waiting = new AbortController();
  const giveUp = () => waiting.abort(signal.reason);
  signal.throwIfAborted();
  signal.addEventListener("abort", giveUp, { once: true });
  return await queue.add(
    async () => {
      signal.removeEventListener("abort", giveUp);
      return await open();
    },
    { priority, signal: waiting.signal },
  );
}
