import type Docker from "dockerode";
import { engineError } from "./engine-error.ts";
import {
  JOB_LABEL,
  KIND_LABEL,
  type Labels,
  OWNER_LABEL,
  RUN_LABEL,
  SERVED_LABEL,
} from "./labels.ts";
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
  /** Only what belongs to this job. */
  readonly job?: string | undefined;
};

export type Removed = {
  readonly kind: Leak["kind"];
  readonly id: string;
  readonly job: string;
};

/**
 * Removes what dead owners left of their jobs: containers with their anonymous volumes, networks, volumes. A job lives as long as the owner of one of its
 * objects does: whoever comes back to a job puts an object of its own beside those of its predecessors. Caches, and volumes that an author named, carry no
 * job and stay.
 *
 * @throws {BerthError} `ENGINE_LOST`, `ENGINE_REFUSED` when the engine cannot be asked; what it will not remove is in `leaks`.
 */
export async function collectGarbage(
  docker: Docker,
  { isAlive = ownerLives, run, job }: GarbageOptions = {},
): Promise<{ removed: Removed[]; leaks: Leak[] }> {
  const wanted = job === undefined ? JOB_LABEL : `${JOB_LABEL}=${job}`;
  const objects = await listObjects(docker, [
    wanted,
    ...(run === undefined ? [] : [`${RUN_LABEL}=${run}`]),
  ]);
  const living = new Set(objects.filter(({ labels }) => isAlive(labels)).map(jobOf));

  const removed: Removed[] = [];
  const leaks: Leak[] = [];
  // In the order of the list: networks and volumes can only go once no container uses them.
  for (const object of objects.filter((one) => !living.has(jobOf(one)))) {
    const { kind, id } = object;
    try {
      await REMOVE[kind](docker, id);
      removed.push({ kind, id, job: jobOf(object) });
    } catch (cause) {
      leaks.push({ kind, id, cause });
    }
  }
  return { removed, leaks };
}

/** Removes all that belongs to one job, whichever life of it made it. Never throws: what stays is reported. */
export async function removeJob(
  docker: Docker,
  job: string,
  onLeak: (leak: Leak) => void,
): Promise<void> {
  try {
    const { leaks } = await collectGarbage(docker, { job, isAlive: () => false });
    for (const leak of leaks) onLeak(leak);
  } catch (cause) {
    onLeak({ kind: "container", id: job, cause });
  }
}

type JobObject = { readonly kind: Leak["kind"]; readonly id: string; readonly labels: Labels };

const REMOVE = { container: removeContainer, network: removeNetwork, volume: removeVolume };

async function listObjects(docker: Docker, label: string[]): Promise<JobObject[]> {
  const filters = { label };
  try {
    const [containers, networks, { Volumes: volumes }] = await Promise.all([
      docker.listContainers({ all: true, filters }),
      docker.listNetworks({ filters }),
      docker.listVolumes({ filters }),
    ]);
    const objects = [
      ...containers.map(({ Id, Labels }) => ({
        kind: "container" as const,
        id: Id,
        labels: Labels,
      })),
      ...networks.map(({ Id, Labels }) => ({ kind: "network" as const, id: Id, labels: Labels })),
      ...(volumes ?? []).map(({ Name, Labels }) => ({
        kind: "volume" as const,
        id: Name,
        labels: Labels,
      })),
    ];
    return objects.flatMap(({ labels, ...rest }) =>
      labels?.[JOB_LABEL] === undefined || labels[KIND_LABEL] === "cache"
        ? []
        : [{ ...rest, labels }],
    );
  } catch (error) {
    throw engineError(error, "list what belongs to Berth");
  }
}

function jobOf({ labels }: JobObject): string {
  return labels[JOB_LABEL] ?? "";
}

/**
 * Ids of the jobs of one service (of `berth serve`) that something is left of.
 *
 * @throws {BerthError} `ENGINE_LOST`, `ENGINE_REFUSED`
 */
export async function jobsOfService(docker: Docker, serviceId: string): Promise<string[]> {
  const objects = await listObjects(docker, [JOB_LABEL, `${SERVED_LABEL}=${serviceId}`]);
  return [...new Set(objects.map(jobOf))];
}

/** Whether the process that made an object still runs, as its labels have it. */
export function ownerLives(labels: Labels): boolean {
  return isOwnerAlive(labels[OWNER_LABEL] ?? "");
}

/** Whether an object belongs to a service, living or not: one that was stopped comes back to its jobs. */
export function isOfService(labels: Labels): boolean {
  return labels[SERVED_LABEL] !== undefined;
}
