import { join } from "node:path";
import { BerthError } from "../../runner/errors.ts";
import { describeJobImage, type ImageContext } from "../../runner/image/job-image.ts";
import {
  type ConnectEngineOptions,
  connectEngine,
  type Engine,
} from "../containers/connect-engine.ts";
import { currentContext } from "../containers/docker-context.ts";
import type { NodeVolume } from "../containers/node-volume.ts";
import { engineFolder } from "./engine-folder.ts";
import { baseImage, provideBase, provideImage } from "./engine-images.ts";
import { planEngine, whyNoEngine } from "./engine-plan.ts";
import { findNodeVolume, provideNodeVolume } from "./node-volume-step.ts";
import type { IsAnswering } from "./own-engine.ts";
import { applySetup, type SetupEvent, type SetupStep } from "./setup-step.ts";

/** All that a run needs of a machine. */
export type Machine = {
  readonly engine: Engine;
  readonly jobImage: string;
  /** Mounted read-only at `/__e`. */
  readonly nodeVolume: NodeVolume;
};

export type PrepareOptions = {
  readonly connect: ConnectEngineOptions;
  report(event: SetupEvent): void;
  readonly signal: AbortSignal;
};

/** How to ask whether an engine answers, for those who may not speak to engines themselves. */
export function engineProbe(connect: ConnectEngineOptions): IsAnswering {
  return (socket) =>
    connectEngine({ ...connect, endpoint: `unix://${socket}`, timeoutMs: 2000 }).then(
      () => true,
      () => false,
    );
}

/**
 * The engine of this machine. Where none answers and none was named, one is set up: that is the only case in which
 * anything outside an engine is touched.
 *
 * @throws {BerthError} `ENGINE_NOT_FOUND` where none can be had, `SETUP_FAILED` when setting one up fails.
 */
export async function prepareEngine({ connect, report, signal }: PrepareOptions): Promise<Engine> {
  try {
    return await connectEngine(connect);
  } catch (error) {
    const isAbsent = error instanceof BerthError && error.code === "ENGINE_NOT_FOUND";
    // Whoever named an engine means that one.
    if (!isAbsent || (await isNamed(connect))) throw error;
    const obstacle = await whyNoEngine();
    if (obstacle) throw cannotSetUp(error, obstacle);
  }
  const folder = engineFolder(connect.stateDir);
  await applySetup(planEngine(folder, engineProbe(connect)), { report, signal });
  return connectEngine(connect);
}

async function isNamed({ endpoint, env, home }: ConnectEngineOptions): Promise<boolean> {
  if (endpoint || env.DOCKER_HOST) return true;
  const context = await currentContext(env.DOCKER_CONFIG || join(home, ".docker"), env);
  return context !== undefined;
}

function cannotSetUp(notFound: BerthError, obstacle: string): BerthError {
  return new BerthError("ENGINE_NOT_FOUND", {
    message: `${notFound.message}\nBerth cannot set one up either: ${obstacle}.`,
    remedy:
      "Install Docker, start it, and see that this user may open its socket; --backend local needs none.",
    cause: notFound,
  });
}

/**
 * Sees to it that the engine has what jobs need: the base, the job image, `images`, and the volume with Node.
 * Does nothing where all is there.
 */
export async function prepareImages(
  engine: Engine,
  images: readonly ImageContext[],
  { connect, report, signal }: PrepareOptions,
): Promise<Machine & { readonly base: string }> {
  const job = await describeJobImage();
  const steps = imageSteps(engine, job, images, connect.stateDir);
  await applySetup(steps, { report, signal });

  const nodeVolume = await findNodeVolume(engine.docker, nodeOptions(job, connect.stateDir), {
    progress: () => {},
    signal,
  });
  return { engine, jobImage: job.tag, nodeVolume, base: await baseImage(engine.docker) };
}

function imageSteps(
  engine: Engine,
  job: ImageContext,
  images: readonly ImageContext[],
  stateFolder: string,
): SetupStep[] {
  const { docker } = engine;
  // Packages may be installed on a machine that lacked an engine; one that has its own is left as it is.
  const mayInstall = engine.source === "berth";
  const workFolder = join(stateFolder, "work");
  return [
    provideBase(docker, [job, ...images], { workFolder, mayInstall }),
    provideImage(docker, job, {
      name: "Build the job image",
      why: "Jobs without a container of their own run in it.",
    }),
    provideNodeVolume(docker, nodeOptions(job, stateFolder)),
    ...images.map((image) =>
      provideImage(docker, image, {
        name: `Build the image ${image.tag.split(":")[0]}`,
        why: "The examples use it.",
      }),
    ),
  ];
}

function nodeOptions(job: ImageContext, stateFolder: string) {
  return { image: job.tag, cacheFolder: join(stateFolder, "node") };
}
