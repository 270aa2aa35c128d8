import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import type Docker from "dockerode";
import { z } from "zod";
import { BerthError } from "../../runner/errors.ts";
import { engineError, reasonOf, statusOf, systemCodeOf } from "./engine-error.ts";
import { type ImageReference, readImageReference } from "./image-reference.ts";
import type { Labels } from "./labels.ts";
import {
  authConfig,
  HUB,
  type RegistryCredentials,
  storedCredentials,
} from "./registry-credentials.ts";

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
  /** Where `docker login` keeps what it knows; asked when there are no `credentials`. */
  readonly dockerConfigDir?: string | undefined;
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
    await pullImage(docker, reference, options);
  } catch (error) {
    if (!fits || options.signal.aborted) throw error;
    options.progress(`Could not pull ${reference.name} again; the engine's own copy is used.`);
    return present;
  }
  const pulled = await presentImage(docker, reference, image);
  if (pulled === undefined) throw notFound(reference, "it vanished right after it was pulled");
  return pulled;
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

const TRIES = 3;

/** Three tries with a pause between, as GitHub's runner; an answer that will not change is not asked for again. */
async function pullImage(
  docker: Docker,
  reference: ImageReference,
  { credentials, dockerConfigDir, platform, progress, signal, ...rest }: EnsureImageOptions,
): Promise<void> {
  const backOffMs = rest.backOffMs ?? (() => 1000 + Math.random() * 9000);
  const known =
    credentials ??
    (dockerConfigDir && (await storedCredentials(reference.registry, dockerConfigDir))) ??
    undefined;
  progress(`Pulling ${reference.name} from ${reference.registry}`);

  for (let attempt = 1; ; attempt++) {
    try {
      const stream = await docker.pull(reference.name, {
        ...(known && { authconfig: authConfig(reference.registry, known) }),
        ...(platform !== undefined && { platform }),
        abortSignal: signal,
      });
      await follow(stream, progress, signal);
      return;
    } catch (error) {
      signal.throwIfAborted();
      const reason = reasonOf(error);
      if (isEngineGone(error)) throw engineError(error, `pull ${reference.name}`);
      if (attempt === TRIES || isFinal(error))
        throw notFound(reference, reason, known !== undefined);
      const waitMs = backOffMs();
      const seconds = (waitMs / 1000).toFixed(1);
      progress(`Pull failed (${reason}), back off ${seconds} seconds before retry.`);
      await sleep(waitMs, undefined, { signal });
    }
  }
}

function isEngineGone(error: unknown): boolean {
  const code = systemCodeOf(error);
  return (
    code !== undefined && ["ECONNREFUSED", "ENOENT", "EACCES", "ECONNRESET", "EPIPE"].includes(code)
  );
}

function isFinal(error: unknown): boolean {
  const reason = reasonOf(error);
  return (
    [400, 401, 403, 404].includes(statusOf(error) ?? 0) ||
    /not found|unknown|denied|unauthorized|no basic auth|authentication required|no matching manifest/i.test(
      reason,
    )
  );
}

function notFound(reference: ImageReference, reason: string, loggedIn = false): BerthError {
  const denied = /denied|unauthorized|no basic auth|authentication required/i.test(reason);
  return new BerthError("IMAGE_NOT_FOUND", {
    message: `The image ${reference.name} cannot be had from ${reference.registry}: ${reason.replace(/\.$/, "")}.`,
    remedy: remedyFor(reference, { denied, loggedIn, unreachable: isUnreachable(reason) }),
  });
}

/** Whether the engine says that it could not get as far as the registry. */
export function isUnreachable(reason: string): boolean {
  return /no such host|dial tcp|timeout|connection refused|EOF|TLS|certificate/i.test(reason);
}

function remedyFor(
  { registry, name }: ImageReference,
  { denied, loggedIn, unreachable }: { denied: boolean; loggedIn: boolean; unreachable: boolean },
): string {
  if (unreachable) {
    return `See whether the engine's machine reaches ${registry}; or put the image there with \`docker load\`.`;
  }
  if (denied && loggedIn)
    return `Check the user name and password for ${registry}, and that they may read ${name}.`;
  if (denied) {
    return `Check the name; a private image needs container.credentials, or \`docker login ${registry}\`.`;
  }
  return "Check the image's name and tag for typing errors.";
}

const Progress = z.object({
  id: z.string().optional(),
  status: z.string().optional(),
  stream: z.string().optional(),
  error: z.string().optional(),
  errorDetail: z.object({ message: z.string() }).optional(),
  aux: z.object({ ID: z.string() }).optional(),
});

/** Characters of one line of a build; what goes on without end is told in pieces. */
const MAX_LINE = 65_536;

/** Reads the engine's progress to its end; an error in it is thrown, what moves every moment is left out. The id of what was made, if any. */
async function follow(
  stream: NodeJS.ReadableStream,
  progress: (line: string) => void,
  signal: AbortSignal,
): Promise<string | undefined> {
  const stop = () => stream instanceof Readable && stream.destroy();
  signal.addEventListener("abort", stop, { once: true });
  let made: string | undefined;
  let begun = ""; // what a build prints comes in pieces that need not end with their line
  try {
    for await (const line of lines(stream)) {
      const message = Progress.parse(JSON.parse(line));
      made = message.aux?.ID ?? made;
      if (message.error !== undefined)
        throw new Error(message.errorDetail?.message ?? message.error);
      const printed = (begun + (message.stream ?? "")).split("\n");
      begun = printed.pop() ?? "";
      if (begun.length > MAX_LINE) {
        printed.push(begun);
        begun = "";
      }
      printed.filter(Boolean).map(progress);
      const { status, id } = message;
      if (
        status !== undefined &&
        !/^(Downloading|Extracting|Waiting|Pulling fs|Verifying)/.test(status)
      ) {
        progress(id === undefined ? status : `${id}: ${status}`);
      }
    }
    signal.throwIfAborted();
    return made;
  } finally {
    if (begun !== "") progress(begun);
    signal.removeEventListener("abort", stop);
  }
}

async function* lines(stream: NodeJS.ReadableStream): AsyncGenerator<string> {
  let rest = "";
  const decoder = new TextDecoder();
  for await (const chunk of stream) {
    const parts = (rest + decoder.decode(Buffer.from(chunk), { stream: true })).split("\n");
    rest = parts.pop() ?? "";
    yield* parts.filter((line) => line.trim() !== "");
  }
  if (rest.trim() !== "") yield rest;
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
  return await follow(stream, options.onProgress, signal);
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
    await follow(stream, () => {}, signal);
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
