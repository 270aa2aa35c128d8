import type Docker from "dockerode";
import { engineError } from "./engine-error.ts";
import { JOB_LABEL, KIND_LABEL, type Labels, OWNER_LABEL, RUN_LABEL } from "./labels.ts";
import { isOwnerAlive } from "./owner.ts";
import { type Leak, removeContainer, removeNetwork, removeVolume } from "./remove-objects.ts";

export type GarbageOptions = {
  /**
   * Whether whoever owns an object still lives; `ownerLives` is the answer from the labels alone. A service that has adopted a job from
   * a dead predecessor adds what it knows.
   */
  isAlive?(labels: Labels): boolean;
  /** Only what belongs to this run. */
  readonly run?: string | undefined;
};

export type Removed = {
  readonly kind: Leak["kind"];
  readonly id: string;
  readonly job: string;
};

/**
 * Removes what dead owners left of their jobs: containers with their anonymous volumes, networks, volumes. Caches, and volumes that an
 * author named, carry no job and stay.
 *
 * @throws {BerthError} `ENGINE_LOST`, `ENGINE_REFUSED` when the engine cannot be asked; what it will not remove is in `leaks`.
 */
export async function collectGarbage(
  docker: Docker,
  { isAlive = ownerLives, run }: GarbageOptions = {},
): Promise<{ removed: Removed[]; leaks: Leak[] }> {
  const filters = { label: [JOB_LABEL, ...(run === undefined ? [] : [`${RUN_LABEL}=${run}`])] };
  const isGarbage = (labels: Labels | undefined | null): boolean =>
    labels?.[JOB_LABEL] !== undefined && labels[KIND_LABEL] !== "cache" && !isAlive(labels);
  const removed: Removed[] = [];
  const leaks: Leak[] = [];

  async function sweep(
    kind: Leak["kind"],
    objects: readonly { readonly id: string; readonly labels: Labels | undefined | null }[],
    remove: (docker: Docker, id: string) => Promise<void>,
  ): Promise<void> {
    for (const { id, labels } of objects.filter((object) => isGarbage(object.labels))) {
      try {
        await remove(docker, id);
        removed.push({ kind, id, job: labels?.[JOB_LABEL] ?? "" });
      } catch (cause) {
        leaks.push({ kind, id, cause });
      }
    }
  }

  try {
    // In this order: networks and volumes can only go once no container uses them.
    const containers = await docker.listContainers({ all: true, filters });
    await sweep(
      "container",
      containers.map(({ Id, Labels }) => ({ id: Id, labels: Labels })),
      removeContainer,
    );
    const networks = await docker.listNetworks({ filters });
    await sweep(
      "network",
      networks.map(({ Id, Labels }) => ({ id: Id, labels: Labels })),
      removeNetwork,
    );
    const { Volumes: volumes } = await docker.listVolumes({ filters });
    await sweep(
      "volume",
      (volumes ?? []).map(({ Name, Labels }) => ({ id: Name, labels: Labels })),
      removeVolume,
    );
  } catch (error) {
    throw engineError(error, "list what belongs to Berth");
  }
  return { removed, leaks };
}

/** Whether the process that made an object still runs, as its labels have it. */
export function ownerLives(labels: Labels): boolean {
  return isOwnerAlive(labels[OWNER_LABEL] ?? "");
}
