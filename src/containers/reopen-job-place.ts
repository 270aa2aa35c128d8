import type Docker from "dockerode";
import { BerthError } from "../../runner/errors.ts";
import type { ShellBackend } from "../../runner/shell/shell.ts";
import { type ContainerPlace, containerPlace } from "./container-place.ts";
import { attachContainer } from "./container-shell.ts";
import { engineError } from "./engine-error.ts";
import { HOME_LABEL, WORKSPACE_LABEL } from "./job-place.ts";
import { JOB_LABEL, KIND_LABEL, type Labels, OWNER_LABEL } from "./labels.ts";
import { stoppedOwnerPid } from "./owner.ts";
import { readBoundPorts } from "./published-ports.ts";
import { type Leak, removeContainer, removeNetwork } from "./remove-objects.ts";
import { removeSiblings } from "./siblings.ts";

/** An engine answers an attach within milliseconds unless something holds it back. */
const ATTACH_PATIENCE_MS = 15_000;

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
    if (found === undefined) {
      // Its maker died between the network and the container, or somebody removed it: nobody else would remove what is left.
      await removeSiblings(docker, jobId, onLeak);
      await removeNetworks(docker, networks, onLeak);
      return undefined;
    }

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
    const attach = attachPastOwner(docker, found.Id, found.Labels[OWNER_LABEL] ?? "");
    return { ...place, backend: { ...place.backend, attach }, labels: found.Labels };
  } catch (error) {
    throw engineError(error, "look for the job's container");
  }
}

/**
 * A client that is attached and does not read holds back the container's output for all others, and in the end their attaching too. Where it is the
 * job's own process of before, stopped, it is ended: it could not learn that the job was taken from it, and would freeze it.
 */
function attachPastOwner(docker: Docker, id: string, owner: string): ShellBackend["attach"] {
  return async (signal) => {
    const pid = stoppedOwnerPid(owner);
    if (pid !== undefined) process.kill(pid, "SIGKILL");
    const patience = AbortSignal.timeout(ATTACH_PATIENCE_MS);
    try {
      return await attachContainer(docker, id, AbortSignal.any([signal, patience]));
    } catch (error) {
      signal.throwIfAborted();
      if (!patience.aborted) throw error;
      throw new BerthError("ENGINE_REFUSED", {
        message: `The engine does not hand out the streams of container ${id}: another client is attached to it and does not read.`,
        remedy: "End that client, then come back to the job.",
        cause: error,
      });
    }
  };
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
  await removeNetworks(
    docker,
    networks.map((Id) => ({ Id })),
    onLeak,
  );
}

async function removeNetworks(
  docker: Docker,
  networks: readonly { readonly Id: string }[],
  onLeak: (leak: Leak) => void,
): Promise<void> {
  for (const { Id: id } of networks) {
    await removeNetwork(docker, id).catch((cause) => onLeak({ kind: "network", id, cause }));
  }
}
