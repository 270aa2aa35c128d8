import { type Readable, Transform } from "node:stream";
import type Docker from "dockerode";
import { BerthError } from "../../runner/errors.ts";
import { reasonOf } from "./engine-error.ts";
import { followProgress } from "./follow-progress.ts";
import { hasImage, inspectImage } from "./images.ts";

export type CopyImageOptions = {
  readonly from: Docker;
  readonly to: Docker;
  progress(line: string): void;
  readonly signal: AbortSignal;
};

const TELL_EVERY_BYTES = 100 * 1024 ** 2;

/**
 * Streams an image from one engine to another, as `docker save` and `docker load` do, without a file between them. Nothing goes over when the other has
 * the same image already.
 *
 * @returns Whether it is there now: false when the first engine does not have it, or has it for another kind of processor.
 * @throws {BerthError} `SETUP_FAILED`, `ENGINE_LOST`
 */
export async function copyImage(
  image: string,
  { from, to, progress, signal }: CopyImageOptions,
): Promise<boolean> {
  const [here, there, target] = await Promise.all([
    inspectImage(from, image),
    inspectImage(to, image),
    to.version(),
  ]);
  if (here === undefined) return there !== undefined;
  if (there?.id === here.id) return true;
  if (here.architecture !== target.Arch) return false;

  signal.throwIfAborted();
  progress(`Copying ${image}`);
  const saved = (await from.getImage(image).get()) as Readable;
  const counted = saved.pipe(counter(progress));
  const stop = () => counted.destroy();
  signal.addEventListener("abort", stop, { once: true });
  saved.on("error", (error) => counted.destroy(error));
  try {
    const loading = await to.loadImage(counted, { abortSignal: signal });
    // What goes wrong, as on a full disk, stands in an answer that began well.
    await followProgress(loading, () => {}, signal);
  } catch (error) {
    signal.throwIfAborted();
    throw notCopied(image, reasonOf(error), error);
  } finally {
    signal.removeEventListener("abort", stop);
    saved.destroy();
  }
  signal.throwIfAborted();
  if (!(await hasImage(to, image)))
    throw notCopied(image, "the engine took it and does not have it");
  return true;
}

function counter(progress: (line: string) => void): Transform {
  let bytes = 0;
  let told = 0;
  return new Transform({
    transform(chunk: Buffer, _, done) {
      bytes += chunk.length;
      if (bytes - told >= TELL_EVERY_BYTES) {
        told = bytes;
        progress(`${Math.round(bytes / 1024 ** 2)} MiB`);
      }
      done(null, chunk);
    },
  });
}

function notCopied(image: string, reason: string, cause?: unknown): BerthError {
  return new BerthError("SETUP_FAILED", {
    message: `The image ${image} could not be copied to the other engine: ${reason.replace(/\.$/, "")}.`,
    remedy: "See whether that engine's disk has room, and that the connection to it holds.",
    cause,
  });
}
