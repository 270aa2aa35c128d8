import type Docker from "dockerode";
import { z } from "zod";
import { engineError, statusOf } from "./engine-error.ts";
import { KIND_LABEL } from "./labels.ts";

export type FreeDiskOptions = {
  /** How much is free now, in bytes; asked again after each removal. */
  freeBytes(): Promise<number>;
  /** How much is to be free, in bytes. */
  readonly keepFreeBytes: number;
  /** What jobs need next, whatever its age: names of images and volumes. */
  readonly needed: Pick<ReadonlySet<string>, "has">;
  readonly signal: AbortSignal;
};

export type FreedDisk = {
  /** Names of what was removed, oldest first. */
  readonly removed: readonly string[];
  /** In bytes, in the end. */
  readonly freeBytes: number;
};

const Inspected = z.object({
  Metadata: z.object({ LastTagTime: z.string().nullish() }).nullish(),
});

type Cache = {
  readonly name: string;
  /** When it was made or, of an image, last given its name: that is done at each use. */
  readonly usedAtMs: number;
  remove(): Promise<unknown>;
};

/**
 * Removes images and volumes of Berth's own, least recently used first, until enough of the engine's disk is free. What a container uses, what is needed
 * next, and what is not Berth's stays in any case.
 *
 * @throws {BerthError} `ENGINE_LOST`, `ENGINE_REFUSED`
 */
export async function freeDisk(docker: Docker, options: FreeDiskOptions): Promise<FreedDisk> {
  const { keepFreeBytes, needed, signal } = options;
  const removed: string[] = [];
  let freeBytes = await options.freeBytes();
  if (freeBytes >= keepFreeBytes) return { removed, freeBytes };
  try {
    const caches = [...(await cachedImages(docker)), ...(await cachedVolumes(docker))];
    const oldestFirst = caches.toSorted((a, b) => a.usedAtMs - b.usedAtMs);
    for (const cache of oldestFirst.filter(({ name }) => !needed.has(name))) {
      signal.throwIfAborted();
      if (!(await removeUnused(cache))) continue;
      removed.push(cache.name);
      freeBytes = await options.freeBytes();
      if (freeBytes >= keepFreeBytes) break;
    }
    return { removed, freeBytes };
  } catch (error) {
    signal.throwIfAborted();
    throw engineError(error, "free some of its disk");
  }
}

async function cachedImages(docker: Docker): Promise<Cache[]> {
  const listed = await docker.listImages({ filters: { label: [`${KIND_LABEL}=cache`] } });
  return await Promise.all(
    listed.map(async ({ Id: id, RepoTags: tags, Created: created }) => {
      const image = docker.getImage(id);
      const { Metadata: metadata } = Inspected.parse(await image.inspect());
      const tagged = Date.parse(metadata?.LastTagTime ?? "");
      return {
        name: tags?.[0] ?? id,
        usedAtMs: Math.max(created * 1000, Number.isNaN(tagged) ? 0 : tagged),
        remove: () => image.remove(),
      };
    }),
  );
}

async function cachedVolumes(docker: Docker): Promise<Cache[]> {
  const filters = { label: [`${KIND_LABEL}=cache`], dangling: ["true"] };
  const { Volumes: volumes } = await docker.listVolumes({ filters });
  return (volumes ?? []).map((volume) => {
    const createdAt = "CreatedAt" in volume ? Date.parse(String(volume.CreatedAt)) : 0;
    return {
      name: volume.Name,
      usedAtMs: createdAt || 0,
      remove: () => docker.getVolume(volume.Name).remove(),
    };
  });
}

/** False where somebody uses it after all, or the engine cannot remove it: what else can go matters more. */
async function removeUnused({ remove }: Cache): Promise<boolean> {
  try {
    await remove();
    return true;
  } catch (error) {
    if (statusOf(error) === 404) return true;
    if (statusOf(error) !== undefined) return false;
    throw error;
  }
}
