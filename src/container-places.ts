import { randomBytes } from "node:crypto";
import { BerthError } from "../runner/errors.ts";
import type { JobPlaceRequest } from "../runner/job/container-spec.ts";
import type { ExecuteJobDeps, JobPlace } from "../runner/job/execute-job.ts";
import { DiedOf } from "../runner/job/job-death.ts";
import { type OpenShellOptions, openShell } from "../runner/shell/open-shell.ts";
import { shellArgv } from "../runner/shell/preamble.ts";
import type { KnownActions } from "./containers/action-volumes.ts";
import { checkGpus } from "./containers/check-gpus.ts";
import type { Engine } from "./containers/connect-engine.ts";
import type { ContainerBasics } from "./containers/container-basics.ts";
import type { ContainerLease } from "./containers/container-lease.ts";
import type { ContainerPlace } from "./containers/container-place.ts";
import type { UserIds } from "./containers/container-user.ts";
import type { JobDind } from "./containers/dind/job-dind.ts";
import { removeJob } from "./containers/gc.ts";
import type { ImageSupply } from "./containers/image-supply.ts";
import { openJobPlace } from "./containers/job-place.ts";
import { type Labels, NONCE_LABEL } from "./containers/labels.ts";
import type { NodeVolume } from "./containers/node-volume.ts";
import type { Leak } from "./containers/remove-objects.ts";
import { type ReopenedPlace, reopenJobPlace } from "./containers/reopen-job-place.ts";
import type { ContainerSettings } from "./containers/settings.ts";
import { removeSiblings, siblingContainers } from "./containers/siblings.ts";

export type ContainerPlacesOptions = {
  readonly engine: Pick<Engine, "docker" | "dockerConfigDir">;
  /** Where images come from; left out: registries, with what `docker login` left. */
  readonly supply?: ImageSupply | undefined;
  /** The name of this machine for events. */
  readonly hostName: string;
  /** Mounted read-only at `/__e`. */
  readonly nodeVolume?: NodeVolume | undefined;
  /** The image of a job without `container:`. */
  imageFor(labels: readonly string[]): string;
  /** Has glibc, so that Node of `nodeVolume` runs in it; the image of the job's labels when left out. */
  readonly jobImage?: string | undefined;
  /** Labels of the container beside Berth's own. */
  readonly labels?: Labels | undefined;
  /** Of the profile; joined with the job's `container:`. */
  readonly settings?: ContainerSettings | undefined;
  readonly lease?: ContainerLease | undefined;
  /** Of each container of the job. */
  readonly basics?: ContainerBasics | undefined;
  /** The job's own Docker daemon. Default: none. */
  readonly dind?: JobDind | undefined;
  /** Whether rules of this engine's machine keep what guarded networks send from metadata addresses. */
  readonly hasGuardedNetwork?: boolean | undefined;
  /** Remembers who a user name is in which image, for places that are opened from elsewhere too. */
  readonly knownUsers?: Map<string, UserIds> | undefined;
  onLeak(leak: Leak): void;
  /** Hears that the connection to a job's shell was cut, and then that it is there again (`undefined`). */
  onCut?: OpenShellOptions["onCut"];
  /** How long a job holds out whose engine is gone, in milliseconds. Default: as the shell has it, some minutes. */
  readonly patienceMs?: number | undefined;
  /** Asked when a job's container is about to go; true leaves it as it is, running, with all that belongs to the job. */
  readonly keeps?:
    | ((place: { readonly jobId: string; readonly containerId: string }) => boolean)
    | undefined;
  /** How long it is kept then, in seconds; when left out it has no time to end at. */
  readonly keepSeconds?: number | undefined;
};

/** Opens jobs' places on a container engine: one fresh container each, or the one that an earlier process made for the job. */
export function containerPlaces(options: ContainerPlacesOptions): ExecuteJobDeps["openPlace"] {
  const { knownUsers = new Map<string, UserIds>() } = options;
  const knownActions: KnownActions = new Map();
  const { engine, hostName, labels, onLeak } = options;
  const { docker } = engine;
  const supply = supplyOf(options);

  return async (request, { journal, progress, placed, signal }) => {
    const reopen = () => reopenJobPlace(docker, request, { hostName, labels, onLeak });
    const found = journal === undefined ? undefined : await reopen();
    if (found !== undefined) {
      const nonce = found.labels[NONCE_LABEL];
      if (nonce !== undefined && (await isWorthReturning(found, journal))) {
        placed({ host: found.host, image: found.image });
        await needRunning(found);
        return withShell(found, { request, options, nonce, journal, resume: true, signal });
      }
      // Its maker died before the first command: nothing is lost with it.
      await found[Symbol.asyncDispose]();
    }
    if (journal !== undefined && journal.checkpoints.length > 0) throw containerGone(request);

    const image = request.container?.image ?? options.imageFor(request.labels);
    placed({ host: hostName, image });
    const nonce = randomBytes(12).toString("hex");
    const place = await openJobPlace(docker, request, {
      image,
      hostName,
      shellArgv: shellArgv(nonce, { limitSeconds: limitOf(request, options) }),
      nodeVolume: options.nodeVolume,
      labels: { ...labels, [NONCE_LABEL]: nonce },
      settings: options.settings,
      lease: options.lease,
      basics: options.basics,
      dind: options.dind,
      hasGuardedNetwork: options.hasGuardedNetwork,
      supply,
      knownUsers,
      knownActions,
      generation: journal?.generation,
      confirm: journal?.confirm,
      progress,
      onLeak,
      signal,
    });
    await checkGpus(docker, place.containerId, { lease: options.lease, signal }).catch(
      async (error: unknown) => {
        await place[Symbol.asyncDispose]();
        signal.throwIfAborted();
        throw error;
      },
    );
    return withShell(place, { request, options, nonce, journal, resume: false, signal });
  };
}

/** Of one that is kept, in seconds: the time of the job and that for a look into it. */
function limitOf(
  { timeLimitSeconds }: JobPlaceRequest,
  { keeps, keepSeconds }: ContainerPlacesOptions,
): number | undefined {
  if (keeps === undefined) return timeLimitSeconds;
  return timeLimitSeconds && keepSeconds && timeLimitSeconds + keepSeconds;
}

function supplyOf({ supply, engine }: ContainerPlacesOptions): ImageSupply {
  return { dockerConfigDir: engine.dockerConfigDir, ...supply };
}

type OpenedPlace = {
  readonly request: JobPlaceRequest;
  readonly options: ContainerPlacesOptions;
  readonly nonce: string;
  readonly journal: Parameters<ExecuteJobDeps["openPlace"]>[1]["journal"];
  readonly resume: boolean;
  readonly signal: AbortSignal;
};

async function withShell(
  place: ContainerPlace | ReopenedPlace,
  { request, options, nonce, journal, resume, signal }: OpenedPlace,
): Promise<JobPlace> {
  let isAbandoned = false;
  await using undo = new AsyncDisposableStack();
  undo.defer(async () => {
    const { containerId } = place;
    const isKept = options.keeps?.({ jobId: request.jobId, containerId }) ?? false;
    if (isAbandoned || isKept) return;
    const { docker } = options.engine;
    // Before what they stand on: a network or volume that is in use cannot be removed.
    await removeSiblings(docker, request.jobId, options.onLeak);
    await place[Symbol.asyncDispose]();
    // What an earlier life had asked the engine for when it died came into being later.
    if (journal !== undefined) await removeJob(docker, request.jobId, options.onLeak);
  });
  const { onCut, patienceMs } = options;
  const backend = patienceMs === undefined ? place.backend : { ...place.backend, patienceMs };
  const opening = openShell(backend, { nonce, journal, resume, signal, onCut });
  const shell = await opening.catch(async (cause: unknown) => {
    isAbandoned = cause instanceof BerthError && cause.code === "SHELL_SUPERSEDED";
    signal.throwIfAborted();
    throw await whyNoShell(place, { resume, cause });
  });
  undo.use(shell);

  const kept = undo.move();
  return {
    shell,
    host: place.host,
    image: place.image,
    paths: place.paths,
    containerId: place.containerId,
    ...(place.networkId !== undefined && { networkId: place.networkId }),
    addActions: place.addActions,
    unpack: place.unpackFor(shell.facts),
    siblings: siblingContainers(options.engine.docker, {
      ...request,
      containerId: place.containerId,
      hasJobContainer: request.container !== undefined,
      forwarder: {
        image: options.jobImage ?? options.imageFor(request.labels),
        nodeVolume: options.nodeVolume?.name,
      },
      supply: supplyOf(options),
      labels: options.labels,
      lease: options.lease,
      basics: options.basics,
      onLeak: options.onLeak,
    }),
    explainEnd: place.explainEnd,
    abandon: () => {
      isAbandoned = true;
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

async function isWorthReturning(
  place: ReopenedPlace,
  journal: { readonly checkpoints: readonly unknown[] } | undefined,
): Promise<boolean> {
  return (journal?.checkpoints.length ?? 0) > 0 || (await place.end()).state === "running";
}

/** An image without `sh` is the common case, and the engine says it in its own words. */
async function whyNoShell(
  place: ContainerPlace,
  { resume, cause }: { readonly resume: boolean; readonly cause: unknown },
): Promise<unknown> {
  if (!(cause instanceof BerthError) || cause.code !== "SHELL_LOST") return cause;
  const known = await place.explainEnd().catch(() => undefined);
  if (known === undefined) return cause;
  if (resume) return endedMeanwhile(known, cause);
  return new BerthError("IMAGE_UNUSABLE", {
    message: `The job's shell could not be started in ${place.image}. ${known.why}`,
    remedy: "Use an image with a POSIX shell at /bin/sh.",
    cause,
  });
}

/** A container that has ended answers nobody, and its engine would not say so to who attaches. */
async function needRunning(place: ReopenedPlace): Promise<void> {
  const known = await place.explainEnd();
  if (known === undefined) return;
  await place[Symbol.asyncDispose]();
  throw endedMeanwhile(known);
}

function endedMeanwhile(
  { why, death }: NonNullable<Awaited<ReturnType<ContainerPlace["explainEnd"]>>>,
  cause?: unknown,
): BerthError {
  const message = `The job's container ended while nobody watched it. ${why}`;
  return new BerthError("SHELL_LOST", { message, cause: new DiedOf(death, cause) });
}

function containerGone(request: JobPlaceRequest): BerthError {
  return new BerthError("SHELL_LOST", {
    message: `The container of job ${request.jobId} is gone, and with it what its steps had done.`,
    remedy: "Run the job anew.",
    cause: new DiedOf("container-lost"),
  });
}
