import { hasNodeVolume } from "../containers/has-node-volume.ts";
import { inspectImage } from "../containers/images.ts";
import { type NodeVolume, nodeVolume } from "../containers/node-volume.ts";
import type { Engine } from "./engine-images.ts";
import {
  type NodeArchitecture,
  nodeReleases,
  nodeVersionsKey,
  openNodeArchive,
} from "./node-packages.ts";
import type { ApplyOptions, SetupStep } from "./setup-step.ts";

/** Fills the volume that jobs get at `/__e`. `image` is any image of the engine; it tells the engine's architecture. */
export function provideNodeVolume(
  engine: Engine,
  { image, cacheFolder }: { image: string; cacheFolder: string },
): SetupStep {
  return {
    name: "Fill the volume with Node 20 and 24",
    why: "JavaScript actions run with them, whatever the job's image has.",
    commands: ["npm pack node-linux-… npm@…"],
    async isDone() {
      const architecture = await architectureOf(engine, image);
      return hasNodeVolume(engine, nodeVersionsKey(architecture));
    },
    async apply(options) {
      await findNodeVolume(engine, { image, cacheFolder }, options);
    },
  };
}

/** The volume for `/__e`, filled when it is not there yet. */
export async function findNodeVolume(
  engine: Engine,
  { image, cacheFolder }: { image: string; cacheFolder: string },
  options: ApplyOptions,
): Promise<NodeVolume> {
  const architecture = await architectureOf(engine, image);
  const name = await nodeVolume(engine, {
    contentHash: nodeVersionsKey(architecture),
    tar: () => openNodeArchive(architecture, cacheFolder, options),
    image,
    ...options,
  });
  return { name, nodes: nodeReleases(architecture) };
}

/** The engine need not be on this machine, nor of its kind. */
async function architectureOf(engine: Engine, image: string): Promise<NodeArchitecture> {
  const facts = await inspectImage(engine, image);
  return facts?.architecture === "arm64" ? "arm64" : "x64";
}
