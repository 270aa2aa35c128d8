import type Docker from "dockerode";
import { engineError, statusOf } from "./engine-error.ts";
import { CONTENT_LABEL, FILLED_LABEL } from "./filled-volume.ts";
import { ACTION_LABEL, OWNER_LABEL } from "./labels.ts";
import { isOwnerAlive } from "./owner.ts";

/** A few megabytes each. */
const KEPT_ACTIONS = 100;

/** A volume as the engine lists it. */
export type ListedVolume = {
  readonly Name: string;
  readonly Labels: { readonly [name: string]: string } | null;
  readonly CreatedAt?: string;
};

/**
 * Keeps the volumes of the newest actions, of those named by their keys, and of all that a container uses; removes the others and what fills
 * left that were cut short. An action that is asked for again is filled again. Names of the removed volumes.
 *
 * @throws {BerthError} `ENGINE_LOST`, `ENGINE_REFUSED`
 */
export async function trimActions(
  docker: Docker,
  needed: readonly string[] = [],
): Promise<string[]> {
  try {
    const all = await listActionVolumes(docker, {});
    const old = oldActions(all, KEPT_ACTIONS).filter((it) => !needed.includes(contentOf(it) ?? ""));
    if (old.length === 0) return [];
    const unused = new Set((await listActionVolumes(docker, { dangling: ["true"] })).map(nameOf));
    const removed: string[] = [];
    for (const volume of old.filter(({ Name }) => unused.has(Name))) {
      if (!(await removeUnused(docker, volume.Name))) continue;
      removed.push(volume.Name);
      // After what it marks: a marker alone says nothing, and is made anew.
      const marker = all.find((it) => markedBy(it) === volume.Name)?.Name;
      if (marker !== undefined && (await removeUnused(docker, marker))) removed.push(marker);
    }
    return removed;
  } catch (error) {
    throw engineError(error, "trim the volumes of actions");
  }
}

/** Those with content that are whole and not among the newest `kept`, and those whose filling ended half-way. */
export function oldActions(volumes: readonly ListedVolume[], kept: number): ListedVolume[] {
  const marked = new Set(volumes.map(markedBy));
  const filled = volumes.filter((it) => contentOf(it) !== undefined);
  const whole = filled.filter(({ Name }) => marked.has(Name));
  const newestFirst = whole.toSorted((a, b) => createdAt(b) - createdAt(a));
  const cutShort = filled.filter((it) => !marked.has(it.Name) && !ownerLives(it));
  return [...newestFirst.slice(kept), ...cutShort];
}

function createdAt({ CreatedAt }: ListedVolume): number {
  return CreatedAt === undefined ? 0 : Date.parse(CreatedAt);
}

async function listActionVolumes(
  docker: Docker,
  filters: { readonly dangling?: string[] },
): Promise<ListedVolume[]> {
  const { Volumes: volumes } = await docker.listVolumes({
    filters: { ...filters, label: [ACTION_LABEL] },
  });
  return volumes ?? [];
}

function nameOf({ Name }: ListedVolume): string {
  return Name;
}

function contentOf({ Labels }: ListedVolume): string | undefined {
  return Labels?.[CONTENT_LABEL];
}

function markedBy({ Labels }: ListedVolume): string | undefined {
  return Labels?.[FILLED_LABEL];
}

function ownerLives({ Labels }: ListedVolume): boolean {
  return isOwnerAlive(Labels?.[OWNER_LABEL] ?? "");
}

/** False where a container has come to use it. */
async function removeUnused(docker: Docker, name: string): Promise<boolean> {
  try {
    await docker.getVolume(name).remove();
    return true;
  } catch (error) {
    if (statusOf(error) === 409) return false;
    if (statusOf(error) === 404) return true;
    throw error;
  }
}
