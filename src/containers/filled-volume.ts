import { randomBytes } from "node:crypto";
import type { Readable } from "node:stream";
import type Docker from "dockerode";
import { statusOf } from "./engine-error.ts";
import { cacheLabels, type Labels, OWNER_LABEL } from "./labels.ts";
import { isOwnerAlive } from "./owner.ts";
import { removeContainer, removeVolume } from "./remove-objects.ts";

/** On a volume with content: the key of it. */
export const CONTENT_LABEL = "io.berth.content";
/** On an empty volume that says which filled volume is whole. */
export const FILLED_LABEL = "io.berth.filled";

/** No image has files there that the engine could copy into an empty volume. */
const FILL_PATH = "/berth-content";

export type VolumeContent = {
  /** What the content is; another key is another volume. Also the marker's name, and how the volume's own begins. */
  readonly key: string;
  /** Beside Berth's own, on all that is made for this content. */
  readonly labels?: Labels;
  /** Asked for only when the engine does not have the content yet. Names are relative to the volume's root. */
  tar(): Readable | Promise<Readable>;
  /** Any image of the engine; nothing of it is run. */
  image(): string | Promise<string>;
  /** Told when there is something to fill. */
  fills(): void;
  readonly signal: AbortSignal;
};

/**
 * The name of the engine's volume with a content, filled when it is not there yet. A volume counts only once its marker exists, and the
 * engine makes a marker once: a fill that was cut short is never used, of two at once one wins and the other's is removed.
 */
export async function filledVolume(docker: Docker, content: VolumeContent): Promise<string> {
  const known = await findFilledVolume(docker, content.key);
  if (known !== undefined) return known;

  content.fills();
  const filled = await fill(docker, content);
  const winner = await mark(docker, content, filled);
  if (winner !== filled) await removeVolume(docker, filled);
  await removeUnfinished(docker, content.key, winner);
  return winner;
}

/** The filled volume that a marker names, when both are there. */
export async function findFilledVolume(docker: Docker, key: string): Promise<string | undefined> {
  try {
    const marker = await docker.getVolume(key).inspect();
    const name = marker.Labels?.[FILLED_LABEL] ?? "";
    await docker.getVolume(name).inspect();
    return name;
  } catch (error) {
    if (statusOf(error) === 404) return undefined;
    throw error;
  }
}

async function fill(docker: Docker, content: VolumeContent): Promise<string> {
  const { key, signal } = content;
  const image = await content.image();
  const name = `${key}-${randomBytes(4).toString("hex")}`;
  const labels = { ...content.labels, ...cacheLabels(), [CONTENT_LABEL]: key };
  signal.throwIfAborted();
  await docker.createVolume({ Name: name, Labels: labels });
  let container: Docker.Container | undefined;
  try {
    container = await docker.createContainer({
      Image: image,
      Entrypoint: ["/never-started"],
      Labels: labels,
      HostConfig: {
        Mounts: [
          { Type: "volume", Source: name, Target: FILL_PATH, VolumeOptions: { NoCopy: true } },
        ],
      } as Docker.HostConfig,
    });
    await container.putArchive(await content.tar(), { path: FILL_PATH, abortSignal: signal });
    await removeContainer(docker, container.id);
    return name;
  } catch (error) {
    // What cannot be removed now goes with the next fill of the same content, once this process has ended.
    if (container !== undefined) await removeContainer(docker, container.id).catch(() => {});
    await removeVolume(docker, name).catch(() => {});
    throw error;
  }
}

/** Making a volume that exists already gives back the one that exists: the first marker wins. */
async function mark(
  docker: Docker,
  content: Pick<VolumeContent, "key" | "labels">,
  filled: string,
): Promise<string> {
  const { key } = content;
  const own = { ...content.labels, ...cacheLabels(), [FILLED_LABEL]: filled };
  await docker.createVolume({ Name: key, Labels: own });
  const { Labels: labels } = await docker.getVolume(key).inspect();
  const winner = labels?.[FILLED_LABEL] ?? filled;
  if (winner === filled || (await exists(docker, winner))) return winner;
  // Somebody removed the volume and left its marker, which says nothing any more.
  await removeVolume(docker, key);
  return mark(docker, content, filled);
}

async function exists(docker: Docker, volume: string): Promise<boolean> {
  const { Volumes: volumes } = await docker.listVolumes({ filters: { name: [volume] } });
  return (volumes ?? []).some(({ Name }) => Name === volume);
}

/** What processes left that died while they filled. One that cannot be removed yet is left to the next fill. */
async function removeUnfinished(docker: Docker, key: string, whole: string): Promise<void> {
  const filters = { label: [`${CONTENT_LABEL}=${key}`] };
  const isDead = (labels: Labels | undefined | null) => !isOwnerAlive(labels?.[OWNER_LABEL] ?? "");

  const containers = await docker.listContainers({ all: true, filters });
  const dead = containers.filter(({ Labels }) => isDead(Labels));
  await Promise.allSettled(dead.map(({ Id }) => removeContainer(docker, Id)));

  const { Volumes: volumes } = await docker.listVolumes({ filters });
  const stale = (volumes ?? []).filter(({ Name, Labels }) => Name !== whole && isDead(Labels));
  await Promise.allSettled(stale.map(({ Name }) => removeVolume(docker, Name)));
}
