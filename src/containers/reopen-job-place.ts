import type Docker from "dockerode";
import { type ContainerPlace, containerPlace } from "./container-place.ts";
import { engineError } from "./engine-error.ts";
import { HOME_LABEL, WORKSPACE_LABEL } from "./job-place.ts";
import { JOB_LABEL, KIND_LABEL, type Labels } from "./labels.ts";
import { readBoundPorts } from "./published-ports.ts";
import { type Leak, removeContainer, removeNetwork } from "./remove-objects.ts";

/** A place that was found again, with the labels that its container was given. */
export type ReopenedPlace = ContainerPlace & { readonly labels: Labels };

/**
 * The container that an earlier process made for a job, running or ended; `undefined` when the engine has none. Disposing removes it as
 * its maker would have.
 *
 * @throws {BerthError} `ENGINE_LOST`, `ENGINE_REFUSED`
 */
export async function reopenJobPlace(
  docker: Docker,
  jobId: string,
  { hostName, onLeak }: { readonly hostName: string; onLeak(leak: Leak): void },
): Promise<ReopenedPlace | undefined> {
  try {
    const label = [`${JOB_LABEL}=${jobId}`, `${KIND_LABEL}=job`];
    const [containers, networks] = await Promise.all([
      docker.listContainers({ all: true, filters: { label } }),
      docker.listNetworks({ filters: { label } }),
    ]);
    const [found] = containers;
    if (found === undefined) return undefined;

    const container = docker.getContainer(found.Id);
    const place = containerPlace(docker, {
      host: hostName,
      image: found.Image,
      containerId: found.Id,
      networkId: networks[0]?.Id,
      ports: await readBoundPorts(container),
      workspace: found.Labels[WORKSPACE_LABEL] ?? "/__w",
      home: found.Labels[HOME_LABEL],
      remove: () =>
        removeFound(
          docker,
          found.Id,
          networks.map(({ Id }) => Id),
          onLeak,
        ),
    });
    return { ...place, labels: found.Labels };
  } catch (error) {
    throw engineError(error, "look for the job's container");
  }
}

async function removeFound(
  docker: Docker,
  container: string,
  networks: readonly string[],
  onLeak: (leak: Leak) => void,
): Promise<void> {
  await removeContainer(docker, container).catch((cause) =>
    onLeak({ kind: "container", id: container, cause }),
  );
  for (const id of networks) {
    await removeNetwork(docker, id).catch((cause) => onLeak({ kind: "network", id, cause }));
  }
}
