import type { Readable } from "node:stream";
import type Docker from "dockerode";
import { engineError } from "./engine-error.ts";
import { filledVolume } from "./filled-volume.ts";

/** A volume for `/__e`, and the Nodes in it. */
export type NodeVolume = {
  readonly name: string;
  readonly nodes: readonly NodeRelease[];
};

export type NodeRelease = {
  /** Its place below `/__e`, as `node24`. */
  readonly folder: string;
  /** As `24.1.0`. */
  readonly version: string;
  /** As Node names it. */
  readonly arch: "x64" | "arm64";
};

export type NodeVolumeOptions = {
  /** Hash of what `tar` holds, letters and digits; another hash is another volume. */
  readonly contentHash: string;
  /** Asked for only when the engine does not have the content yet; entries such as `node24/bin/node`. */
  tar(): Readable | Promise<Readable>;
  /** Any image of the engine; nothing of it is run. */
  readonly image: string;
  progress(line: string): void;
  readonly signal: AbortSignal;
};

/** The name of this engine's volume for `/__e`, filled when it is not there yet. */
export async function nodeVolume(docker: Docker, options: NodeVolumeOptions): Promise<string> {
  const { contentHash, tar, image, progress, signal } = options;
  try {
    return await filledVolume(docker, {
      key: nodeVolumeKey(contentHash),
      tar,
      image: () => image,
      fills: () => progress("Putting Node for JavaScript actions into a volume (once per engine)"),
      signal,
    });
  } catch (error) {
    signal.throwIfAborted();
    throw engineError(error, "fill the volume with Node for JavaScript actions");
  }
}

export function nodeVolumeKey(contentHash: string): string {
  return `berth-node-${contentHash}`;
}
