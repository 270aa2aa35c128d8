import type Docker from "dockerode";
import { engineError } from "./engine-error.ts";
import { ownerLives } from "./gc.ts";
import { KIND_LABEL } from "./labels.ts";
import { removeContainer } from "./remove-objects.ts";

/**
 * Removes the containers that only fill a volume or make an image, and whose maker died in the middle of that. Ids of those that went.
 *
 * @throws {BerthError} `ENGINE_LOST`, `ENGINE_REFUSED`
 */
export async function removeDeadHelpers(docker: Docker): Promise<string[]> {
  try {
    const filters = { label: [`${KIND_LABEL}=cache`] };
    const helpers = await docker.listContainers({ all: true, filters });
    const dead = helpers.filter(({ Labels }) => !ownerLives(Labels));
    for (const { Id } of dead) await removeContainer(docker, Id);
    return dead.map(({ Id }) => Id);
  } catch (error) {
    throw engineError(error, "remove what dead processes left");
  }
}
