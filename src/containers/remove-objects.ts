import { setTimeout as sleep } from "node:timers/promises";
import type Docker from "dockerode";
import { statusOf } from "./engine-error.ts";

/** Something that could not be removed, and why. `berth gc` tries again later. */
export type Leak = {
  readonly kind: "container" | "network" | "volume";
  readonly id: string;
  readonly cause: unknown;
};

const TRIES = 5;

/** Removes a container in any state, with its anonymous volumes. Already gone is fine. */
export function removeContainer(docker: Docker, id: string): Promise<void> {
  return untilGone(() => docker.getContainer(id).remove({ force: true, v: true }));
}

/** Removes a network once nothing is connected to it any more. Already gone is fine. */
export function removeNetwork(docker: Docker, id: string): Promise<void> {
  return untilGone(() => docker.getNetwork(id).remove());
}

/** Removes a volume that no container uses. Already gone is fine. */
export function removeVolume(docker: Docker, name: string): Promise<void> {
  return untilGone(() => docker.getVolume(name).remove());
}

/** "Removal in progress", "device busy" and "has active endpoints" pass within moments. */
async function untilGone(remove: () => Promise<unknown>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await remove();
      return;
    } catch (error) {
      const status = statusOf(error);
      if (status === 404) return;
      if (status === undefined || attempt === TRIES) throw error;
      await sleep(50 * 2 ** attempt);
    }
  }
}
