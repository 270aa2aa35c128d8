import type Docker from "dockerode";
import { readEnd } from "./container-end.ts";
import { containerShell } from "./container-shell.ts";
import { engineError } from "./engine-error.ts";
import { type ContainerPlace, HOME_LABEL, WORKSPACE_LABEL } from "./job-place.ts";
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
    const workspace = found.Labels[WORKSPACE_LABEL] ?? "/__w";
    const home = found.Labels[HOME_LABEL];
    const { Config: config } = await container.inspect();
    return {
      host: hostName,
      image: config.Image,
      paths: {
        workspace,
        temp: "/__w/_temp",
        toolCache: "/__t",
        actions: "/__w/_actions",
        ...(home !== undefined && { home }),
      },
      containerId: found.Id,
      ...(networks[0] !== undefined && { networkId: networks[0].Id }),
      ports: await readBoundPorts(container),
      labels: found.Labels,
      backend: containerShell(docker, found.Id),
      end: () => readEnd(docker, found.Id),
      async [Symbol.asyncDispose]() {
        await removeContainer(docker, found.Id).catch((cause) =>
          onLeak({ kind: "container", id: found.Id, cause }),
        );
        for (const { Id } of networks) {
          await removeNetwork(docker, Id).catch((cause) =>
            onLeak({ kind: "network", id: Id, cause }),
          );
        }
      },
    };
  } catch (error) {
    throw engineError(error, "look for the job's container");
  }
}
