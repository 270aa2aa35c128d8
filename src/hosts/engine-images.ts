import { createReadStream } from "node:fs";
import { Readable } from "node:stream";
import { pack } from "tar-stream";
import { BerthError } from "../../runner/errors.ts";
import type { ImageContext } from "../../runner/image/job-image.ts";
import { type ImageEngine, makeImage } from "../../runner/image/make-image.ts";
import { buildImage, ensureImage, hasImage, importImage } from "../containers/images.ts";
import { cacheLabels } from "../containers/labels.ts";
import { makeDebianBase } from "./debian-base.ts";
import { installPackages } from "./debian-packages.ts";
import { findProgram } from "./find-program.ts";
import type { ApplyOptions, SetupStep } from "./setup-step.ts";

export type Engine = Parameters<typeof hasImage>[0];

/** The base when an image registry can be reached, and the one made here when none can. */
const PUBLIC_BASE = "debian:bookworm-slim";
const OWN_BASE = "berth-base:bookworm";

/** A registry that is there says something within this time. */
const REGISTRY_PATIENCE_MS = 10_000;

/** Gets an image with a Debian 12 and little more; `images` are those that are built upon it. */
export function provideBase(
  engine: Engine,
  images: readonly ImageContext[],
  options: { workFolder: string; mayInstall: boolean },
): SetupStep {
  return {
    name: "Get a Debian base image",
    why: "The job image is built upon it. Pulled from a registry, or made from Debian's packages.",
    commands: [`docker pull ${PUBLIC_BASE}`],
    async isDone() {
      if ((await presentBase(engine)) !== undefined) return true;
      const present = await Promise.all(images.map(({ tag }) => hasImage(engine, tag)));
      return present.every(Boolean);
    },
    async apply(apply) {
      if (!(await canPull(engine, apply))) await makeBase(engine, options, apply);
    },
  };
}

async function presentBase(engine: Engine): Promise<string | undefined> {
  for (const base of [PUBLIC_BASE, OWN_BASE]) if (await hasImage(engine, base)) return base;
  return undefined;
}

async function canPull(engine: Engine, { progress, signal }: ApplyOptions): Promise<boolean> {
  const patience = new AbortController();
  const timer = setTimeout(() => patience.abort(), REGISTRY_PATIENCE_MS);
  try {
    await ensureImage(engine, PUBLIC_BASE, {
      progress(line) {
        // "<id>: <status>" comes from the registry: from here on it is only a matter of time.
        if (/^\S+: /.test(line)) clearTimeout(timer);
        progress(line);
      },
      backOffMs: () => 0,
      signal: AbortSignal.any([signal, patience.signal]),
    });
    return true;
  } catch (error) {
    signal.throwIfAborted();
    const isAbsent = error instanceof BerthError && error.code === "IMAGE_NOT_FOUND";
    if (!isAbsent && !patience.signal.aborted) throw error;
    progress("no registry can be reached: making the image from Debian's packages");
    return false;
  } finally {
    clearTimeout(timer);
  }
}

async function makeBase(
  engine: Engine,
  { workFolder, mayInstall }: { workFolder: string; mayInstall: boolean },
  { progress, signal }: ApplyOptions,
): Promise<void> {
  if (!(await findProgram("mmdebstrap"))) {
    if (!mayInstall || !(await findProgram("apt-get"))) throw hasNoBase();
    const mmdebstrap = { name: "mmdebstrap", program: "mmdebstrap" };
    await installPackages("It makes a Debian.", [mmdebstrap]).apply({ progress, signal });
  }
  await using base = await makeDebianBase(workFolder, { progress, signal });
  progress("importing it");
  await importImage(engine, {
    tar: createReadStream(base.tarFile),
    tag: OWN_BASE,
    labels: cacheLabels(),
    changes: ['CMD ["bash"]'],
    signal,
  });
}

function hasNoBase(): BerthError {
  return new BerthError("SETUP_FAILED", {
    message: `The engine has no image ${PUBLIC_BASE}, and no registry to pull it from can be reached.`,
    remedy:
      "Put it there with `docker load`; or install mmdebstrap, and Berth makes one from Debian's packages.",
  });
}

/** Builds one image over the base, unless the engine has it. */
export function provideImage(
  engine: Engine,
  context: ImageContext,
  { name, why }: { name: string; why: string },
): SetupStep {
  return {
    name,
    why,
    commands: [`docker build --tag ${context.tag} …`],
    isDone: () => hasImage(engine, context.tag),
    async apply(options) {
      await makeImage(context, imageEngine(engine), options);
    },
  };
}

function imageEngine(engine: Engine): ImageEngine {
  return {
    hasImage: (tag) => hasImage(engine, tag),
    findBase: async () => (await presentBase(engine)) ?? PUBLIC_BASE,
    buildImage: ({ tag, files }, { buildArgs, progress, signal }) =>
      buildImage(engine, {
        context: contextTar(files),
        tag,
        buildArgs,
        labels: cacheLabels(),
        onProgress: progress,
        signal,
      }),
  };
}

/** The base that images are built upon, once `provideBase` is done. */
export async function baseImage(engine: Engine): Promise<string> {
  return (await presentBase(engine)) ?? PUBLIC_BASE;
}

function contextTar(files: ReadonlyMap<string, string>): Readable {
  const tar = pack();
  // Fixed times: the engine's build cache compares them.
  for (const [name, text] of files) tar.entry({ name, mtime: new Date(0) }, text);
  tar.finalize();
  return Readable.from(tar, { objectMode: false });
}
