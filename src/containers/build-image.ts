import { join } from "node:path";
import { Readable } from "node:stream";
import type Docker from "dockerode";
import { pack } from "tar-stream";
import { BerthError } from "../../runner/errors.ts";
import type { BuildSource, SiblingOptions } from "../../runner/job/siblings.ts";
import {
  type Context,
  type ContextEntry,
  examineContext,
  readContainerFolder,
  readFolder,
  writeContext,
} from "./build-image-context.ts";
import { engineError, reasonOf, statusOf, systemCodeOf } from "./engine-error.ts";
import { readImageReference } from "./image-reference.ts";
import { credentialsFor, type ImageSupply } from "./image-supply.ts";
import { inspectImage, runBuild } from "./images.ts";
import { KIND_LABEL } from "./labels.ts";
import { isUnreachable } from "./pull-image.ts";
import type { RegistryCredentials } from "./registry-credentials.ts";

export type BuildOptions = SiblingOptions & {
  /** Where sources of the side `job` are. */
  readonly containerId: string;
  readonly supply?: ImageSupply | undefined;
};

const REPOSITORY = "berth-action";

/** Of a line of a Dockerfile: more than `FROM --platform=… IMAGE` needs. */
const MAX_WORDS = 8;

/** Beyond this the end of a build's output is told by its log. */
const LAST_LINES = 10;

/**
 * Builds the image of a docker action with the engine's own builder, unless one of the same content was built before; its name.
 *
 * @throws {BerthError} `ACTION_BUILD_FAILED` with the last lines of the build; all of them went to `progress`.
 */
export async function buildActionImage(
  docker: Docker,
  source: BuildSource,
  options: BuildOptions,
): Promise<string> {
  const { progress, signal, supply } = options;
  const entries = () => readSource(docker, source, options);
  const context = await examine(entries, source, options);
  const name = imageName(context.hash);
  const known = await inspectImage(docker, name);
  if (known?.labels[KIND_LABEL] === "cache") {
    progress(`The image ${name} was built from the same files before.`);
    // Its name is given anew, by which the engine notes when it was last of use.
    return await nameImage(docker, known.id, context.hash);
  }

  progress(`##[command]docker build --file ${source.dockerfile} ${source.folder}`);
  const lastLines: string[] = [];
  const onProgress = (line: string) => {
    if (lastLines.push(line) > LAST_LINES) lastLines.shift();
    progress(line);
  };
  const archive = pack();
  const packing = writeContext(archive, entries(), { ...source, isSent: context.isSent });
  const packed = packing.catch((error: Error) => {
    archive.destroy(error);
    return error;
  });
  try {
    const id = await runBuild(docker, {
      context: Readable.from(archive, { objectMode: false }),
      labels: { [KIND_LABEL]: "cache" },
      dockerfile: source.dockerfile,
      registries: await knownRegistries(context.dockerfile ?? "", supply),
      onProgress,
      signal,
    });
    const hash = await packing;
    return await nameImage(docker, id, hash);
  } catch (error) {
    signal.throwIfAborted();
    archive.destroy(); // what the engine did not take, nobody will
    const unread = await packed;
    throw buildFailed(source, { error: unread instanceof Error ? unread : error, lastLines });
  }
}

function imageName(hash: string): string {
  return `${REPOSITORY}:${hash.slice(0, 32)}`;
}

function readSource(
  docker: Docker,
  { side, folder }: BuildSource,
  { containerId, signal }: BuildOptions,
): AsyncGenerator<ContextEntry> {
  return side === "trusted"
    ? readFolder(folder)
    : readContainerFolder(docker.getContainer(containerId), folder, signal);
}

async function examine(
  entries: () => AsyncGenerator<ContextEntry>,
  { folder, dockerfile }: BuildSource,
  { signal }: BuildOptions,
): Promise<Context> {
  try {
    const context = await examineContext(entries(), dockerfile);
    if (context.dockerfile !== undefined) return context;
  } catch (error) {
    signal.throwIfAborted();
    const isMissing = statusOf(error) === 404 || systemCodeOf(error) === "ENOENT";
    if (!isMissing) throw engineError(error, `read the folder ${folder}`);
  }
  throw new BerthError("ACTION_BUILD_FAILED", {
    message: `There is no Dockerfile at ${join(folder, dockerfile)}, which the docker action names as its image.`,
    remedy: "Correct `runs.image` in the action.yml; a local action needs a checkout before it.",
  });
}

/** Only what was really sent gives an image its name. */
async function nameImage(docker: Docker, id: string | undefined, hash: string): Promise<string> {
  if (id === undefined) throw new Error("the engine did not tell the id of what it built");
  const name = imageName(hash);
  await docker.getImage(id).tag({ repo: REPOSITORY, tag: name.slice(REPOSITORY.length + 1) });
  return name;
}

/** What is known of the registries of the images that a Dockerfile builds on. */
async function knownRegistries(
  dockerfile: string,
  supply: ImageSupply = {},
): Promise<{ [registry: string]: RegistryCredentials }> {
  const known: { [registry: string]: RegistryCredentials } = {};
  for (const image of dockerfile.split("\n").flatMap(baseImage)) {
    const registry = registryOf(image);
    if (registry === undefined || registry in known) continue;
    const found = await credentialsFor(registry, supply);
    if (found !== undefined) known[registry] = found;
  }
  return known;
}

/** The image that a line of a Dockerfile builds on, where it names one. Without regular expressions, which a hostile line could keep busy. */
function baseImage(line: string): string[] {
  const [instruction = "", ...words] = line.trim().split(/\s+/, MAX_WORDS);
  if (instruction.toUpperCase() !== "FROM") return [];
  const image = words.find((word) => !word.startsWith("--"));
  return image === undefined || image.includes("$") ? [] : [image];
}

/** `undefined` for the name of an earlier stage that is no image's. */
function registryOf(image: string): string | undefined {
  try {
    return readImageReference(image).registry;
  } catch {
    return undefined; // the engine will say what is wrong with it
  }
}

function buildFailed(
  { folder, dockerfile }: BuildSource,
  { error, lastLines }: { readonly error: unknown; readonly lastLines: readonly string[] },
): BerthError {
  const reason = reasonOf(error);
  return new BerthError("ACTION_BUILD_FAILED", {
    message: [
      `The image of the docker action could not be built from ${join(folder, dockerfile)}: ${reason}`,
      ...lastLines.filter((line) => !line.includes(reason)),
    ].join("\n"),
    remedy: remedyFor(reason),
    cause: error,
  });
}

function remedyFor(reason: string): string {
  if (/buildkit/i.test(reason)) {
    return "Berth builds with the engine's classic builder, which lacks BuildKit's extensions: do without them, or build the image elsewhere and name it as docker://IMAGE.";
  }
  if (isUnreachable(reason)) {
    return "See whether the engine's machine reaches the registry; or put the base image there with `docker load`.";
  }
  if (/denied|unauthorized|authentication required/i.test(reason)) {
    return "Check the name of the base image; a private one needs `docker login`.";
  }
  return "The lines of the build above say which instruction failed.";
}
