import { hostname } from "node:os";
import { BerthError } from "../../runner/errors.ts";
import type { ExecuteJobDeps } from "../../runner/job/execute-job.ts";
import { openLocalPlace } from "../../runner/job/local-place.ts";
import { type ContainerPlacesOptions, containerPlaces } from "../container-places.ts";
import type { Engine } from "../containers/connect-engine.ts";
import type { DindMode } from "../containers/dind/dind-request.ts";
import type { JobDind } from "../containers/dind/job-dind.ts";
import type { NodeVolume } from "../containers/node-volume.ts";
import type { Leak } from "../containers/remove-objects.ts";
import { capabilityOf } from "../hosts/capability-of.ts";
import { findEngine } from "../hosts/find-engine.ts";
import { prepareImages } from "../hosts/prepare-machine.ts";
import { probeMachine } from "../hosts/probe-machine.ts";
import { chooseImage, type ImageMap } from "./choose-image.ts";
import { dindOfRun } from "./run-dind.ts";
import { openRunLeases } from "./run-leases.ts";
import { showSetup } from "./setup-progress.ts";
import { thisMachine } from "./this-machine.ts";

export type RunPlacesOptions = {
  readonly flags: {
    readonly backend: "docker" | "local";
    readonly docker?: string;
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
export type RunPlaces = {
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
  const { flags, images, warn } = options;
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
    return { open, hasMisfits: () => false };
  }
  const { engine, jobImage, nodeVolume } = await prepareForRun(options);
  const places = {
    engine,
    hostName: hostname(),
    nodeVolume,
    jobImage,
    imageFor: (labels: readonly string[]) => chooseImage(labels, images) ?? jobImage,
    keeps: options.keeps,
    onLeak: ({ kind, id }: Leak) =>
      warn(`The ${kind} ${id} could not be removed; berth gc tries again.`),
  };
  const dind = dindOfRun(engine, { mode: flags.dind, stateFolder: thisMachine(flags).stateDir });
  return { ...withLeases(places, { ...options, dind }), engine };
}

/** Holds jobs to what their labels ask for; those that ask for nothing go straight to their places. */
function withLeases(
  places: ContainerPlacesOptions,
  { flags, signal, dind }: RunPlacesOptions & { readonly dind: JobDind },
): Pick<RunPlaces, "open" | "hasMisfits"> {
  const openPlain = containerPlaces(places);
  const leases = openRunLeases(async () => {
    const facts = await probeMachine({ connect: thisMachine(flags), signal });
    return capabilityOf(facts, facts.name);
  });
  let hasMisfits = false;
  return {
    hasMisfits: () => hasMisfits,
    async open(request, opening) {
      const taken = await leases.take(request.labels, opening).catch((error: unknown) => {
        hasMisfits ||= error instanceof BerthError && error.code === "HOST_UNUSABLE";
        throw error;
      });
      if (taken === undefined) return await openPlain(request, opening);

      const { lease, hasDind } = taken;
      const open = containerPlaces({ ...places, lease, ...(hasDind && { dind }) });
      const place = await open(request, opening).catch((error: unknown) => {
        hasMisfits ||= error instanceof BerthError && error.code === "DIND_UNUSABLE";
        taken[Symbol.dispose]();
        throw error;
      });
      return {
        ...place,
        async [Symbol.asyncDispose]() {
          using _taken = taken;
          await place[Symbol.asyncDispose]();
        },
      };
    },
  };
}

async function prepareForRun({
  flags,
  needsJobImage,
  signal,
  warn,
}: RunPlacesOptions): Promise<{ engine: Engine; jobImage: string; nodeVolume?: NodeVolume }> {
  using progress = showSetup(process.stderr);
  const prepare = { connect: thisMachine(flags), report: progress.report, signal };
  const engine = await findEngine(prepare);
  try {
    const { jobImage, nodeVolume } = await prepareImages(engine, [], prepare);
    return { engine, jobImage, nodeVolume };
  } catch (error) {
    if (needsJobImage || signal.aborted) throw error;
    warn(`The job image cannot be made, and no job here needs it: ${String(error)}`);
    return { engine, jobImage: "berth-job" };
  }
}
