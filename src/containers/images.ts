import { Readable } from "node:stream";
import type Docker from "dockerode";
import { BerthError } from "../../runner/errors.ts";
import { copyImage } from "./copy-image.ts";
import { engineError, reasonOf, statusOf } from "./engine-error.ts";
import { followProgress } from "./follow-progress.ts";
import { type ImageReference, readImageReference } from "./image-reference.ts";
import type { ImageSupply } from "./image-supply.ts";
import type { Labels } from "./labels.ts";
import { notFound, pullImage } from "./pull-image.ts";
import { authConfig, HUB, type RegistryCredentials } from "./registry-credentials.ts";

/** What is known of an image before a container is made from it. */
export type ImageFacts = {
  /** How to name it to the engine. */
  readonly name: string;
  readonly id: string;
  /** As the image has it: a name or number, perhaps with `:group`; empty is root. */
  readonly user: string;
  readonly env: { readonly [name: string]: string };
  readonly path: string | undefined;
  readonly architecture: string;
  readonly labels: Labels;
};

/** What the engine says of an image it has; `undefined` when it has none of that name. */
export async function inspectImage(docker: Docker, image: string): Promise<ImageFacts | undefined> {
  try {
    const found = await docker.getImage(image).inspect();
    const env = Object.fromEntries(
      (found.Config?.Env ?? []).map((entry) => {
        const at = entry.indexOf("=");
        return at < 0 ? [entry, ""] : [entry.slice(0, at), entry.slice(at + 1)];
      }),
    );
    return {
      name: image,
      id: found.Id,
      user: found.Config?.User ?? "",
      env,
      path: env.PATH,
      architecture: found.Architecture,
      labels: found.Config?.Labels ?? {},
    };
  } catch (error) {
    if (statusOf(error) === 404) return undefined;
    throw engineError(error, `look for the image ${image}`);
  }
}

export async function hasImage(docker: Docker, image: string): Promise<boolean> {
  return (await inspectImage(docker, image)) !== undefined;
}

export type EnsureImageOptions = {
  readonly credentials?: RegistryCredentials | undefined;
  /** Where it may come from. */
  readonly supply?: ImageSupply | undefined;
  readonly platform?: string | undefined;
  /** Default `missing`: what the engine has is used as it is, so jobs also run where no registry can be reached. */
  readonly pull?: "always" | "missing" | "never" | undefined;
  progress(line: string): void;
  readonly signal: AbortSignal;
  /** The wait before another try, in milliseconds; GitHub's own is a random 1 to 10 s. */
  readonly backOffMs?: () => number;
};

/**
 * Sees to it that the engine has an image, and tells what it is like.
 *
 * @throws {BerthError} `IMAGE_NOT_FOUND` when it is not there and cannot be pulled.
 */
export async function ensureImage(
  docker: Docker,
  image: string,
  options: EnsureImageOptions,
): Promise<ImageFacts> {
  const reference = readImageReference(image);
  const { pull = "missing", platform } = options;
  const present = await presentImage(docker, reference, image);
  const fits = present !== undefined && (platform === undefined || isFor(present, platform));
  if (fits && pull !== "always") return present;
  if (pull === "never")
    throw notFound(reference, "the engine does not have it, and may not pull it");

  try {
    await provideImage(docker, reference, options);
  } catch (error) {
    if (!fits || options.signal.aborted) throw error;
    options.progress(`Could not pull ${reference.name} again; the engine's own copy is used.`);
    return present;
  }
  const pulled = await presentImage(docker, reference, image);
  if (pulled === undefined) throw notFound(reference, "it vanished right after it was pulled");
  return pulled;
}

/** From a registry, else from the engine that images may be copied from. */
async function provideImage(
  docker: Docker,
  reference: ImageReference,
  options: EnsureImageOptions,
): Promise<void> {
  const { supply, progress, signal } = options;
  const other = await supply?.copyFrom?.(signal);
  const isThere = other !== undefined && (await hasImage(other, reference.name));
  try {
    // Waiting for a registry that does not answer is not worth it where there is another way.
    await pullImage(docker, reference, { ...options, tries: isThere ? 1 : 3 });
  } catch (error) {
    if (!isThere || signal.aborted) throw error;
    progress(`Could not pull ${reference.name}: it is copied from Berth's own machine.`);
    if (!(await copyImage(reference.name, { from: other, to: docker, progress, signal })))
      throw error;
  }
}

async function presentImage(
  docker: Docker,
  reference: ImageReference,
  written: string,
): Promise<ImageFacts | undefined> {
  const byName = await inspectImage(docker, reference.name);
  // An image may also be named by its id, which no registry knows.
  const isId = /^(sha256:)?[0-9a-f]{12,64}$/.test(written);
  return byName ?? (isId ? await inspectImage(docker, written) : undefined);
}

function isFor(image: ImageFacts, platform: string): boolean {
  const names: { readonly [alias: string]: string } = { x86_64: "amd64", aarch64: "arm64" };
  const parts = platform.toLowerCase().split("/");
  const architecture = parts[1] ?? (parts[0] === "linux" ? image.architecture : (parts[0] ?? ""));
  return image.architecture === (names[architecture] ?? architecture);
}

export type BuildImageOptions = {
  /** A tar with a `Dockerfile` at its top. */
  readonly context: Readable | AsyncIterable<Uint8Array>;
  readonly tag?: string;
  readonly labels?: Labels;
  readonly dockerfile?: string;
  readonly buildArgs?: { readonly [name: string]: string };
  /** For the registries of the images it builds on. */
  readonly registries?: { readonly [registry: string]: RegistryCredentials };
  onProgress(line: string): void;
  readonly signal: AbortSignal;
};

/**
 * Builds an image from a tar of its context.
 *
 * @throws {BerthError} `SETUP_FAILED` with the build's own last words.
 */
export async function buildImage(
  docker: Docker,
  options: BuildImageOptions & { readonly tag: string },
): Promise<void> {
  try {
    await runBuild(docker, options);
  } catch (error) {
    options.signal.throwIfAborted();
    throw new BerthError("SETUP_FAILED", {
      message: `The image ${options.tag} could not be built: ${reasonOf(error)}`,
      remedy: "The lines of the build above say which instruction failed.",
      cause: error,
    });
  }
}

/** Builds an image and gives its id. What goes wrong is thrown as the engine says it; containers of the build are removed in any case. */
export async function runBuild(
  docker: Docker,
  options: BuildImageOptions,
): Promise<string | undefined> {
  const { context, tag, labels, dockerfile, buildArgs, registries = {}, signal } = options;
  const logins = Object.entries(registries).map(
    ([registry, known]) =>
      [registry === "docker.io" ? HUB : registry, authConfig(registry, known)] as const,
  );
  const stream = await docker.buildImage(asReadable(context), {
    ...(tag !== undefined && { t: tag }),
    ...(labels && { labels: { ...labels } }),
    ...(dockerfile !== undefined && { dockerfile }),
    ...(buildArgs && { buildargs: { ...buildArgs } }),
    ...(logins.length > 0 && { registryconfig: Object.fromEntries(logins) }),
    rm: true,
    forcerm: true,
    abortSignal: signal,
  });
  return await followProgress(stream, options.onProgress, signal);
}

export type ImportImageOptions = {
  /** The root file system. */
  readonly tar: Readable | AsyncIterable<Uint8Array>;
  readonly tag: string;
  readonly labels?: Labels;
  /** Further Dockerfile instructions, such as `USER app` or `ENV PATH=/bin`. */
  readonly changes?: readonly string[];
  readonly signal: AbortSignal;
};

/**
 * Makes an image of one layer from a root file system.
 *
 * @throws {BerthError} `SETUP_FAILED`
 */
export async function importImage(
  docker: Docker,
  { tar, tag, labels = {}, changes = [], signal }: ImportImageOptions,
): Promise<void> {
  const at = tag.lastIndexOf(":");
  const labelled = Object.entries(labels).map(
    ([name, value]) => `LABEL ${JSON.stringify(name)}=${JSON.stringify(value)}`,
  );
  try {
    const stream = await docker.importImage(asReadable(tar), {
      repo: tag.slice(0, at),
      tag: tag.slice(at + 1),
      changes: [...changes, ...labelled],
      abortSignal: signal,
    });
    await followProgress(stream, () => {}, signal);
  } catch (error) {
    signal.throwIfAborted();
    throw new BerthError("SETUP_FAILED", {
      message: `The image ${tag} could not be imported: ${reasonOf(error)}`,
      remedy: "See whether the engine's disk has room, and that the archive is whole.",
      cause: error,
    });
  }
}

function asReadable(source: Readable | AsyncIterable<Uint8Array>): Readable {
  return source instanceof Readable ? source : Readable.from(source);
}
