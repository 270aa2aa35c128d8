import { hostname } from "node:os";
import { BerthError } from "../../runner/errors.ts";
import { describeJobImage } from "../../runner/image/job-image.ts";
import type { ExecuteJobDeps } from "../../runner/job/execute-job.ts";
import { openLocalPlace } from "../../runner/job/local-place.ts";
import { containerPlaces } from "../container-places.ts";
import { connectEngine, type Engine } from "../containers/connect-engine.ts";
import type { UserIds } from "../containers/container-user.ts";
import { copyImage } from "../containers/copy-image.ts";
import type { DindMode } from "../containers/dind/dind-request.ts";
import type { JobDind } from "../containers/dind/job-dind.ts";
import type { ImageSupply } from "../containers/image-supply.ts";
import { hasImage } from "../containers/images.ts";
import type { NodeVolume } from "../containers/node-volume.ts";
import type { Leak } from "../containers/remove-objects.ts";
import { capabilityOf } from "../hosts/capability-of.ts";
import type { HostAccess } from "../hosts/host-access.ts";
import { openHost } from "../hosts/open-host.ts";
import { type PrepareOptions, prepareImages } from "../hosts/prepare-machine.ts";
import { certificateVolume, type JobNetwork, networkBasics } from "../job-network.ts";
import { chooseImage, type ImageMap } from "./choose-image.ts";
import { hostTarget } from "./host-target.ts";
import { placeOverCuts, probeOverCuts } from "./place-over-cuts.ts";
import { findHost } from "./read-hosts.ts";
import { dindOfRun } from "./run-dind.ts";
import { runGpus } from "./run-gpus.ts";
import { openRunLeases, type RunLease } from "./run-leases.ts";
import { showSetup } from "./setup-progress.ts";
import { thisMachine } from "./this-machine.ts";

export type RunPlacesOptions = {
  readonly flags: {
    readonly backend: "docker" | "local";
    readonly docker?: string;
    /** A host of the configuration. */
    readonly host?: string;
    readonly config?: string;
    readonly dind?: DindMode;
  };
  readonly images: ImageMap;
  /** Whether some job runs in the job image; only then must it be possible to make it. */
  readonly needsJobImage: boolean;
  readonly signal: AbortSignal;
  warn(line: string): void;
  keeps(place: { readonly jobId: string; readonly containerId: string }): boolean;
};

/** Where the jobs of a run go. */
export type RunPlaces = AsyncDisposable & {
  readonly open: ExecuteJobDeps["openPlace"];
  /** Absent on the local backend. */
  readonly engine?: Engine;
  /** Whether this machine could not give a job what its labels ask for. */
  hasMisfits(): boolean;
};

/**
 * Makes ready what the jobs of a run need, and says so while it does.
 *
 * @throws {BerthError} `ENGINE_NOT_FOUND`, `SETUP_FAILED`, `IMAGE_NOT_FOUND`
 */
export async function openRunPlaces(options: RunPlacesOptions): Promise<RunPlaces> {
  const { flags, warn } = options;
  if (flags.backend === "local") {
    warn(
      "The local backend isolates nothing: steps run on this machine, as you, without a container.",
    );
    const { env } = process;
    const open: RunPlaces["open"] = (request, opening) => {
      const { container, jobId } = request;
      if (container) warn(`The local backend makes no container ${container.image} for ${jobId}.`);
      return openLocalPlace(request, { ...opening, env });
    };
    return { open, hasMisfits: () => false, [Symbol.asyncDispose]: async () => {} };
  }
  await using opened = new AsyncDisposableStack();
  const host = await openRunHost(options);
  opened.use(host.access);
  const prepared = enginesForRun(host, options);
  const { engine } = await prepared(undefined);
  const kept = opened.move();
  return {
    ...withLeases(host, prepared, options),
    engine,
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

/** An engine of this machine that is gone was stopped, and not cut off. */
const LOCAL_PATIENCE_MS = 15_000;

type RunHost = {
  readonly access: HostAccess;
  readonly supply: ImageSupply;
  readonly network: JobNetwork;
};

async function openRunHost({ flags, signal }: RunPlacesOptions): Promise<RunHost> {
  using progress = showSetup(process.stderr);
  const options = { connect: thisMachine(flags), report: progress.report };
  if (flags.host === undefined) {
    const access = await openHost({ name: hostname() }, options);
    // Berth's own engine is started while its progress is shown.
    await access.engine(undefined, signal);
    return { access, supply: {}, network: {} };
  }
  const { host, config } = findHost(flags.host, flags.config);
  const access = await openHost(hostTarget(host), options);
  const copyFrom = async () =>
    (await connectEngine(options.connect).catch(() => undefined))?.docker;
  const { network } = config;
  const { registries } = network;
  return { access, network, supply: { registries, ...(host.ssh !== undefined && { copyFrom }) } };
}

/** An engine with what jobs need of it. */
type Prepared = {
  readonly engine: Engine;
  readonly jobImage: string;
  readonly nodeVolume?: NodeVolume;
  readonly dind: JobDind;
  readonly certificates: string | undefined;
};
type EnginesForRun = (endpoint: string | undefined) => Promise<Prepared>;

/** Each engine is made ready when the first job comes to it. */
function enginesForRun(host: RunHost, options: RunPlacesOptions): EnginesForRun {
  const known = new Map<string | undefined, Promise<Prepared>>();
  return async (endpoint) => {
    const engine = await host.access.engine(endpoint, options.signal);
    const made = known.get(engine.endpoint) ?? prepareForRun(engine, host, options);
    known.set(engine.endpoint, made);
    return await made;
  };
}

/** Holds jobs to what their labels ask for; those that ask for nothing go straight to their places. */
function withLeases(
  { access, supply, network }: RunHost,
  prepared: EnginesForRun,
  options: RunPlacesOptions,
): Pick<RunPlaces, "open" | "hasMisfits"> {
  const { images, warn, signal } = options;
  const leases = openRunLeases(
    async () =>
      capabilityOf(await probeOverCuts(access, signal), access.name, {
        onlyDefault: access.hasNamedEngine,
      }),
    runGpus(access, { warn }),
  );
  const onLeak = ({ kind, id }: Leak) =>
    warn(`The ${kind} ${id} could not be removed; berth gc tries again.`);
  const knownUsers = new Map<string, UserIds>();
  let hasMisfits = false;

  async function placesOn(endpoint: string | undefined, taken: RunLease | undefined) {
    const { engine, jobImage, nodeVolume, dind, certificates } = await prepared(endpoint);
    const open = containerPlaces({
      ...{ engine, nodeVolume, jobImage, supply, knownUsers, onLeak },
      hostName: access.name,
      imageFor: (labels: readonly string[]) => chooseImage(labels, images) ?? jobImage,
      basics: networkBasics(network, certificates),
      keeps: options.keeps,
      ...(access.sshCommand === undefined && { patienceMs: LOCAL_PATIENCE_MS }),
      onCut: tellCut,
      ...(taken !== undefined && { lease: taken.lease, ...(taken.hasDind && { dind }) }),
    });
    return placeOverCuts(open, { access, docker: engine.docker });
  }
  const tellCut = (cut: BerthError | undefined) =>
    warn(
      cut === undefined
        ? "The connection is there again; the job went on."
        : `Cut off from a job, which is come back to: ${cut.message}`,
    );
  let plain: Promise<RunPlaces["open"]> | undefined;

  return {
    hasMisfits: () => hasMisfits,
    async open(request, opening) {
      const taken = await leases
        .take({ id: request.jobId, labels: request.labels }, opening)
        .catch((error: unknown) => {
          hasMisfits ||= error instanceof BerthError && error.code === "HOST_UNUSABLE";
          throw error;
        });
      if (taken === undefined) {
        plain ??= placesOn(undefined, undefined);
        return await (await plain)(request, opening);
      }
      try {
        const open = await placesOn(taken.endpoint, taken);
        const place = await open(request, opening);
        return {
          ...place,
          async [Symbol.asyncDispose]() {
            await using _taken = taken;
            await place[Symbol.asyncDispose]();
          },
        };
      } catch (error) {
        hasMisfits ||= error instanceof BerthError && error.code === "DIND_UNUSABLE";
        await taken[Symbol.asyncDispose]();
        throw error;
      }
    },
  };
}

async function prepareForRun(
  engine: Engine,
  { supply, network }: RunHost,
  { flags, needsJobImage, signal, warn }: RunPlacesOptions,
): Promise<Prepared> {
  using progress = showSetup(process.stderr);
  const { stateDir: stateFolder } = thisMachine(flags);
  const dind = dindOfRun(engine, { mode: flags.dind, stateFolder, copyFrom: supply.copyFrom });
  const prepare = { connect: thisMachine(flags), report: progress.report, signal };
  try {
    await copyJobImage(engine, supply, prepare);
    const { jobImage, nodeVolume } = await prepareImages(engine, [], prepare);
    const at = { image: jobImage, signal };
    const certificates = await certificateVolume(engine, network, at);
    return { engine, jobImage, nodeVolume, dind, certificates };
  } catch (error) {
    if (needsJobImage || signal.aborted) throw error;
    warn(`The job image cannot be made, and no job here needs it: ${String(error)}`);
    return { engine, jobImage: "berth-job", dind, certificates: undefined };
  }
}

/** Where another engine has the job image; one without makes its own. */
async function copyJobImage(
  { docker: to }: Engine,
  { copyFrom }: ImageSupply,
  { report, signal }: PrepareOptions,
): Promise<void> {
  const { tag } = await describeJobImage();
  const from = (await hasImage(to, tag)) ? undefined : await copyFrom?.(signal);
  if (from === undefined) return;
  const name = "Copy the job image";
  report({ type: "step_started", name, why: "Jobs without a container run in it.", commands: [] });
  const progress = (line: string) => report({ type: "step_progress", name, line });
  const begin = performance.now();
  await copyImage(tag, { from, to, progress, signal });
  report({ type: "step_done", name, ms: performance.now() - begin });
}
