import PQueue from "p-queue";
import { textOf } from "../runner/errors.ts";
import { describeJobImage } from "../runner/image/job-image.ts";
import { blockMetadata, METADATA_ADDRESSES } from "./containers/block-metadata.ts";
import type { ConnectEngineOptions, Engine } from "./containers/connect-engine.ts";
import { copyImage } from "./containers/copy-image.ts";
import type { ImageSupply } from "./containers/image-supply.ts";
import { ensureImage, hasImage } from "./containers/images.ts";
import type { HostAccess } from "./hosts/host-access.ts";
import { type Machine, prepareImages } from "./hosts/prepare-machine.ts";
import type { SetupEvent } from "./hosts/setup-step.ts";
import { certificateVolume, type JobNetwork } from "./job-network.ts";
import { keepDiskFree } from "./keep-disk-free.ts";
import type { Log } from "./log.ts";

export type ReadyEnginesOptions = {
  readonly access: HostAccess;
  readonly connect: ConnectEngineOptions;
  readonly log: Log;
  /** Hears how the job image and the like are made, where they are missing. */
  report?(event: SetupEvent): void;
  /** Of the engine's disk; 0 or left out: not looked at. */
  readonly keepFreeBytes?: number;
  /** Where images come from that an engine lacks, the job image among them. */
  readonly supply?: ImageSupply | undefined;
  /** What jobs need to reach the world outside. */
  readonly network?: JobNetwork;
  /** Images to have before a job asks for them. */
  readonly images?: readonly string[];
  /** What jobs are kept from; an empty list turns it off. */
  readonly metadataAddresses?: readonly string[];
};

/** An engine with all that jobs need of it. */
export type ReadyEngine = Machine & {
  /** With the certificates that jobs trust; `undefined`: those of their images do. */
  readonly certificates: string | undefined;
  /** Metadata addresses are blocked for networks of jobs. */
  readonly isGuarded: boolean;
  /** When that was last seen to, on the clock of `performance.now()`. */
  readonly guardedAtMs: number;
  /** Bounds how many containers are being made at once. */
  readonly opening: PQueue;
};

/** Engines of one host by endpoint; the host's default where none is named. */
export type ReadyEngines = {
  /** What was made ready before, else `anew`. */
  once(endpoint: string | undefined, signal: AbortSignal): Promise<ReadyEngine>;
  /** Whether it was made ready before. */
  has(endpoint: string | undefined): boolean;
  /** Makes what it lacks. */
  anew(endpoint: string | undefined, signal: AbortSignal): Promise<ReadyEngine>;
};

/** Making a container keeps an engine busy; more at once only make each of them slower. */
const MOST_AT_ONCE = 4;
/** A firewall that is loaded anew forgets rules; each look costs a container. */
const GUARD_EVERY_MS = 10 * 60_000;

/** Makes engines of a host ready for jobs: their images, their Node, their guard. */
export function readyEngines(options: ReadyEnginesOptions): ReadyEngines {
  const { access } = options;
  const turns = new PQueue({ concurrency: 1 });
  const known = new Map<string | undefined, ReadyEngine>();

  async function makeReady(
    endpoint: string | undefined,
    signal: AbortSignal,
  ): Promise<ReadyEngine> {
    const engine = await access.engine(endpoint, signal);
    const last = known.get(endpoint);
    if (last === undefined) await copyJobImage(engine, options, signal);
    const machine = await prepareImages(engine, [], prepareOptions(options, signal));
    if (last === undefined) await fetchImages(engine, options, signal);
    const certificates = await certificateVolume(engine, options.network ?? {}, {
      image: machine.jobImage,
      signal,
    });
    const guarded = isStillGuarded(last) ? last : await guardNow(machine, last);
    const opening = last?.opening ?? new PQueue({ concurrency: 1 });
    opening.concurrency = Math.min(MOST_AT_ONCE, await cpusOf(engine));
    const { isGuarded, guardedAtMs } = guarded;
    const ready = { ...machine, certificates, isGuarded, guardedAtMs, opening };
    known.set(endpoint, ready);
    // Last: a full disk takes no new jobs, and those that run there are come back to all the same.
    await keepDiskFree(engine, {
      ...{ host: access.name, shell: access.shell, log: options.log, signal },
      keepFreeBytes: options.keepFreeBytes ?? 0,
      needed: new Set([
        ...[machine.jobImage, machine.base, machine.nodeVolume.name],
        ...(certificates === undefined ? [] : [certificates]),
      ]),
    });
    return ready;

    async function guardNow(made: Machine, before: ReadyEngine | undefined) {
      const wasGuarded = before?.isGuarded;
      return {
        isGuarded: await guard(made, options, { wasGuarded, signal }),
        guardedAtMs: performance.now(),
      };
    }
  }

  return {
    has: (endpoint) => known.has(endpoint),
    once: async (endpoint, signal) =>
      known.get(endpoint) ??
      (await turns.add(() => known.get(endpoint) ?? makeReady(endpoint, signal))),
    anew: (endpoint, signal) => turns.add(() => makeReady(endpoint, signal)),
  };
}

/** A machine need not reach a registry, nor the packages that an image is made of. */
async function copyJobImage(
  engine: Engine,
  { supply, access, log }: ReadyEnginesOptions,
  signal: AbortSignal,
): Promise<void> {
  const { tag } = await describeJobImage();
  if (supply?.copyFrom === undefined || (await hasImage(engine.docker, tag))) return;
  const source = await supply.copyFrom(signal);
  if (source === undefined) return;
  const progress = (line: string) => log.debug({ host: access.name, line }, "copies the job image");
  log.info({ host: access.name, image: tag }, "copies the job image to a host");
  await copyImage(tag, { from: source, to: engine.docker, progress, signal });
}

/** Once for each engine; of what cannot be had now, a job that needs it says more. */
async function fetchImages(
  { docker }: Engine,
  { supply, images = [], access, log }: ReadyEnginesOptions,
  signal: AbortSignal,
): Promise<void> {
  for (const image of images) {
    const progress = (line: string) => log.debug({ host: access.name, line }, "fetches an image");
    try {
      await ensureImage(docker, image, { supply, progress, signal });
    } catch (error) {
      signal.throwIfAborted();
      log.warn(
        { host: access.name, image, why: textOf(error) },
        "image could not be fetched ahead",
      );
    }
  }
}

function prepareOptions({ connect, report = () => {} }: ReadyEnginesOptions, signal: AbortSignal) {
  return { connect, report, signal };
}

function isStillGuarded(last: ReadyEngine | undefined): last is ReadyEngine {
  return last?.isGuarded === true && performance.now() - last.guardedAtMs < GUARD_EVERY_MS;
}

async function cpusOf({ docker }: Engine): Promise<number> {
  const { NCPU: cpus = 1 }: { NCPU?: number } = await docker.info();
  return Math.max(1, cpus);
}

/** Whether metadata addresses are blocked. Where they cannot be, jobs run all the same, and the log says so. */
async function guard(
  { engine, jobImage }: Machine,
  { access, log, metadataAddresses: addresses = METADATA_ADDRESSES }: ReadyEnginesOptions,
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
        { host: access.name, cause: textOf(error) },
        "metadata addresses are not blocked: jobs can reach them",
      );
    }
    return false;
  }
}
