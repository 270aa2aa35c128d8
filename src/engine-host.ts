import PQueue from "p-queue";
import { BerthError, textOf } from "../runner/errors.ts";
import { containerPlaces } from "./container-places.ts";
import { blockMetadata, METADATA_ADDRESSES } from "./containers/block-metadata.ts";
import type { ConnectEngineOptions, Engine } from "./containers/connect-engine.ts";
import type { ContainerLease } from "./containers/container-lease.ts";
import type { UserIds } from "./containers/container-user.ts";
import { describeEngine } from "./containers/describe-engine.ts";
import { jobsOfService, removeJob } from "./containers/gc.ts";
import { SERVED_LABEL } from "./containers/labels.ts";
import type { Leak } from "./containers/remove-objects.ts";
import type { HostPlaces, PlaceTerms } from "./fleet/host-places.ts";
import { capabilityOf } from "./hosts/capability-of.ts";
import { findEngine } from "./hosts/find-engine.ts";
import { type Machine, prepareImages } from "./hosts/prepare-machine.ts";
import { probeMachine } from "./hosts/probe-machine.ts";
import type { SetupEvent } from "./hosts/setup-step.ts";
import type { Log } from "./log.ts";
import type { Capability } from "./profiles/capability.ts";

export type EngineHostOptions = {
  readonly name: string;
  readonly slots: number;
  /** As in `DOCKER_HOST`; left out: as `connect` finds it. */
  readonly endpoint?: string | undefined;
  readonly connect: ConnectEngineOptions;
  /** On all that is made for jobs, so that the next life of this service finds it. */
  readonly serviceId: string;
  readonly log: Log;
  /** Hears how the job image and the like are made, where they are missing. */
  report?(event: SetupEvent): void;
  /** What jobs are kept from; an empty list turns it off. */
  readonly metadataAddresses?: readonly string[];
};

/** Making a container keeps an engine busy; more at once only make each of them slower. */
const MOST_AT_ONCE = 4;
/** A firewall that is loaded anew forgets rules; each look costs a container. */
const GUARD_EVERY_MS = 10 * 60_000;
/** Jobs that run already come before those that are to begin. */
const COMING_BACK = 1;

/** An engine with all that jobs need of it. */
type Ready = Machine & {
  readonly isGuarded: boolean;
  /** When that was last seen to, on the clock of `performance.now()`. */
  readonly guardedAtMs: number;
  readonly opening: PQueue;
};

/**
 * This machine's container engine as a host. It need not answer yet: each `probe` looks for it anew and makes what it lacks.
 */
export async function openEngineHost(options: EngineHostOptions): Promise<HostPlaces> {
  const { name, slots, endpoint, serviceId, log } = options;
  const connect = { ...options.connect, ...(endpoint !== undefined && named(endpoint)) };
  const prepare = readier({ ...options, connect });
  const knownUsers = new Map<string, UserIds>();
  const onLeak = ({ kind, id, cause }: Leak) =>
    log.warn({ host: name, kind, id, cause: textOf(cause) }, "could not be removed yet");

  return {
    name,
    slots,
    async probe(signal) {
      try {
        const { engine } = await prepare.anew(signal);
        if (/^unix:|^\//.test(engine.endpoint)) {
          return capabilityOf(await probeMachine({ connect, signal }), name);
        }
        return await remoteCapability(engine, name, signal);
      } catch (error) {
        signal.throwIfAborted();
        throw unusable(name, error);
      }
    },
    openPlace: (terms) => async (request, opening) => {
      const ready = await prepare.once(opening.signal);
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
        const { docker } = await prepare.engine();
        await removeJob(docker, jobId, onLeak);
      } catch (error) {
        log.warn({ host: name, job: jobId, cause: textOf(error) }, "could not be removed yet");
      }
    },
    async jobsWithRemains() {
      const { docker } = await prepare.engine();
      return await jobsOfService(docker, serviceId);
    },
    // Jobs outlive the service.
    [Symbol.asyncDispose]: async () => {},
  };
}

function named(endpoint: string) {
  return { endpoint, endpointSource: "docker in berth.yml" } as const;
}

function placeOptions(
  { engine, jobImage, nodeVolume, isGuarded }: Ready,
  { name, serviceId }: EngineHostOptions,
  { lease, image, settings }: PlaceTerms,
) {
  return {
    engine,
    hostName: name,
    nodeVolume,
    jobImage,
    imageFor: () => image || settings?.image || jobImage,
    labels: { [SERVED_LABEL]: serviceId },
    settings,
    lease: containerLease(lease, settings),
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

type Readier = {
  engine(): Promise<Engine>;
  /** What was made ready before, else `anew`. */
  once(signal: AbortSignal): Promise<Ready>;
  anew(signal: AbortSignal): Promise<Ready>;
};

function readier(options: EngineHostOptions): Readier {
  const { connect, report = () => {} } = options;
  const opening = new PQueue({ concurrency: 1 });
  const turns = new PQueue({ concurrency: 1 });
  let last: Ready | undefined;
  const find = (signal: AbortSignal) => findEngine({ connect, report, signal });

  async function makeReady(signal: AbortSignal): Promise<Ready> {
    const engine = await find(signal);
    const machine = await prepareImages(engine, [], { connect, report, signal });
    const guarded = isStillGuarded(last) ? last : await guardNow(machine, signal);
    opening.concurrency = Math.min(MOST_AT_ONCE, await cpusOf(engine));
    const { isGuarded, guardedAtMs } = guarded;
    last = { ...machine, isGuarded, guardedAtMs, opening };
    return last;
  }

  async function guardNow(machine: Machine, signal: AbortSignal) {
    const isGuarded = await guard(machine, options, { wasGuarded: last?.isGuarded, signal });
    return { isGuarded, guardedAtMs: performance.now() };
  }

  return {
    engine: async () => last?.engine ?? (await find(AbortSignal.timeout(60_000))),
    once: async (signal) => last ?? (await turns.add(() => last ?? makeReady(signal))),
    anew: (signal) => turns.add(() => makeReady(signal)),
  };
}

function isStillGuarded(last: Ready | undefined): last is Ready {
  return last?.isGuarded === true && performance.now() - last.guardedAtMs < GUARD_EVERY_MS;
}

async function cpusOf({ docker }: Engine): Promise<number> {
  const { NCPU: cpus = 1 }: { NCPU?: number } = await docker.info();
  return Math.max(1, cpus);
}

/** Whether metadata addresses are blocked. Where they cannot be, jobs run all the same, and the log says so. */
async function guard(
  { engine, jobImage }: Machine,
  { name, log, metadataAddresses: addresses = METADATA_ADDRESSES }: EngineHostOptions,
  { wasGuarded, signal }: { wasGuarded: boolean | undefined; signal: AbortSignal },
): Promise<boolean> {
  if (addresses.length === 0) return false;
  try {
    await blockMetadata(engine.docker, { image: jobImage, addresses }, signal);
    return true;
  } catch (error) {
    signal.throwIfAborted();
    // Once, and again when it was well in between.
    if (wasGuarded !== false) {
      log.warn(
        { host: name, cause: textOf(error) },
        "metadata addresses are not blocked: jobs can reach them",
      );
    }
    return false;
  }
}

/** An engine on another machine says little of it, and nothing of its GPUs. */
async function remoteCapability(
  engine: Engine,
  name: string,
  signal: AbortSignal,
): Promise<Capability> {
  const [info, description] = await Promise.all([
    engine.docker.info() as Promise<{ NCPU?: number; MemTotal?: number; Architecture?: string }>,
    describeEngine(engine, signal),
  ]);
  const archs: { [machine: string]: string } = { x86_64: "x64", aarch64: "arm64" };
  const machine = info.Architecture ?? "";
  return {
    name,
    arch: archs[machine] ?? machine,
    cpus: info.NCPU ?? 1,
    memoryBytes: info.MemTotal ?? 0,
    engines: [{ usable: true, ...description }],
    gpus: [],
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
