import type Docker from "dockerode";
import { BerthError } from "../../runner/errors.ts";
import { engineError } from "./engine-error.ts";
import { isSpecialNetwork } from "./options/read-options.ts";

/**
 * The name of the network that a job's container is on. Asks the engine, so that it does not matter which life of the job made the
 * container.
 *
 * @throws {BerthError} `CONTAINER_OPTION` when it is a network on which containers have no names.
 */
export async function readJobNetwork(docker: Docker, containerId: string): Promise<string> {
  try {
    const { HostConfig: host, NetworkSettings: settings } = await docker
      .getContainer(containerId)
      .inspect();
    const mode = host.NetworkMode ?? "default";
    if (isSpecialNetwork(mode) || mode === "default" || mode === "bridge") throw noNames(mode);
    const joined = Object.entries(settings.Networks);
    const [name] = joined.find(([name, { NetworkID: id }]) => [name, id].includes(mode)) ?? [];
    if (name === undefined) throw noNames(mode);
    return name;
  } catch (error) {
    throw engineError(error, "find the network of the job's container");
  }
}

function noNames(mode: string): BerthError {
  return new BerthError("CONTAINER_OPTION", {
    message: `The job's container is on the network "${mode}", where services cannot be reached by name.`,
    remedy:
      "Take --network out of container.options, or name a network made with `docker network create`.",
  });
}
