import { randomBytes } from "node:crypto";
import type { Readable } from "node:stream";
import type Docker from "dockerode";
import { engineError, statusOf } from "./engine-error.ts";
import { cacheLabels, OWNER_LABEL } from "./labels.ts";
import { isOwnerAlive } from "./owner.ts";
import { removeContainer, removeVolume } from "./remove-objects.ts";

/** On a volume with content: the hash of it. */
const CONTENT_LABEL = "io.berth.content";
/** On an empty volume that says which filled volume is whole. */
const FILLED_LABEL = "io.berth.filled";

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

/**
 * The name of this engine's volume for `/__e`, filled when it is not there yet. A volume counts only once its marker exists, and the
 * engine makes a marker once: a fill that was cut short is never used, of two at once one wins and the other's is removed.
 */
export async function nodeVolume(docker: Docker, options: NodeVolumeOptions): Promise<string> {
  const hash = options.contentHash;
  try {
    const known = await findWholeVolume(docker, hash);
    if (known !== undefined) return known;

    options.progress("Putting Node for JavaScript actions into a volume (once per engine)");
    const filled = await fill(docker, hash, options);
    const winner = await mark(docker, hash, filled);
    if (winner !== filled) await removeVolume(docker, filled);
    await removeUnfinished(docker, hash, winner);
    return winner;
  } catch (error) {
    options.signal.throwIfAborted();
    throw engineError(error, "fill the volume with Node for JavaScript actions");
  }
}

function markerName(hash: string): string {
  return `berth-node-${hash}`;
}

/** The filled volume that a marker names, when both are there. */
export async function findWholeVolume(docker: Docker, hash: string): Promise<string | undefined> {
  try {
    const marker = await docker.getVolume(markerName(hash)).inspect();
    const name = marker.Labels?.[FILLED_LABEL] ?? "";
    await docker.getVolume(name).inspect();
    return name;
  } catch (error) {
    if (statusOf(error) === 404) return undefined;
    throw error;
  }
}

async function fill(
  docker: Docker,
  hash: string,
  { tar, image, signal }: NodeVolumeOptions,
): Promise<string> {
  const name = `${markerName(hash)}-${randomBytes(4).toString("hex")}`;
  await docker.createVolume({ Name: name, Labels: { ...cacheLabels(), [CONTENT_LABEL]: hash } });
  let container: Docker.Container | undefined;
  try {
    container = await docker.createContainer({
      Image: image,
      Entrypoint: ["/never-started"],
      Labels: { ...cacheLabels(), [CONTENT_LABEL]: hash },
      HostConfig: { Mounts: [{ Type: "volume", Source: name, Target: "/__e" }] },
    });
    await container.putArchive(await tar(), { path: "/__e", abortSignal: signal });
    await removeContainer(docker, container.id);
    return name;
  } catch (error) {
    if (container !== undefined) await removeContainer(docker, container.id);
    await removeVolume(docker, name);
    throw error;
  }
}

/** Making a volume that exists already gives back the one that exists: the first marker wins. */
async function mark(docker: Docker, hash: string, filled: string): Promise<string> {
  const name = markerName(hash);
  await docker.createVolume({ Name: name, Labels: { ...cacheLabels(), [FILLED_LABEL]: filled } });
  const { Labels: labels } = await docker.getVolume(name).inspect();
  const winner = labels?.[FILLED_LABEL] ?? filled;
  if (winner === filled || (await exists(docker, winner))) return winner;
  // Somebody removed the volume and left its marker, which says nothing any more.
  await removeVolume(docker, name);
  return mark(docker, hash, filled);
}

async function exists(docker: Docker, volume: string): Promise<boolean> {
  const { Volumes: volumes } = await docker.listVolumes({ filters: { name: [volume] } });
  return (volumes ?? []).some(({ Name }) => Name === volume);
}

/** What processes left that died while they filled. */
async function removeUnfinished(docker: Docker, hash: string, whole: string): Promise<void> {
  const filters = { label: [`${CONTENT_LABEL}=${hash}`] };
  const isDead = (labels: { [name: string]: string } | undefined) =>
    !isOwnerAlive(labels?.[OWNER_LABEL] ?? "");

  const containers = await docker.listContainers({ all: true, filters });
  const dead = containers.filter(({ Labels }) => isDead(Labels));
  await Promise.all(dead.map(({ Id }) => removeContainer(docker, Id)));

  const { Volumes: volumes } = await docker.listVolumes({ filters });
  const stale = (volumes ?? []).filter(({ Name, Labels }) => Name !== whole && isDead(Labels));
  await Promise.all(stale.map(({ Name }) => removeVolume(docker, Name)));
}
