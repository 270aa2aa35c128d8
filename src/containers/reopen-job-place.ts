import type Docker from "dockerode";
import { BerthError } from "../../runner/errors.ts";
import type { ShellBackend } from "../../runner/shell/shell.ts";
import { type ContainerPlace, containerPlace } from "./container-place.ts";
import { attachContainer } from "./container-shell.ts";
import { engineError } from "./engine-error.ts";
import { removeJob } from "./gc.ts";
import { HOME_LABEL, WORKSPACE_LABEL } from "./job-place.ts";
import { JOB_LABEL, jobLabels, KIND_LABEL, type Labels, OWNER_LABEL } from "./labels.ts";
import { stoppedOwnerPid } from "./owner.ts";
import { readBoundPorts } from "./published-ports.ts";
import type { Leak } from "./remove-objects.ts";

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
  { jobId, runId }: { readonly jobId: string; readonly runId: string },
  {
    hostName,
    labels,
    onLeak,
  }: {
    readonly hostName: string;
    /** Beside Berth's own, of what this life makes. */
    readonly labels?: Labels | undefined;
    onLeak(leak: Leak): void;
  },
): Promise<ReopenedPlace | undefined> {
  try {
    const label = [`${JOB_LABEL}=${jobId}`, `${KIND_LABEL}=job`];
    const [containers, networks] = await Promise.all([
      docker.listContainers({ all: true, filters: { label } }),
      docker.listNetworks({ filters: { label } }),
    ]);
    // A life that slept may have made one more, and gives it up before it starts.
    const found = containers.find(({ State }) => State === "running") ?? containers[0];
    if (found === undefined) {
      // Its maker died between the network and the container, or somebody removed it: nobody else would remove what is left.
      await removeJob(docker, jobId, onLeak);
      return undefined;
    }

    const container = docker.getContainer(found.Id);
    const [ports, owners] = await Promise.all([
      readBoundPorts(container),
      takeOver(docker, { jobId, runId }, labels),
    ]);
    const place = containerPlace(docker, {
      host: hostName,
      image: found.Image,
      containerId: found.Id,
      networkId: networks[0]?.Id,
      ports,
      workspace: found.Labels[WORKSPACE_LABEL] ?? "/__w",
      home: found.Labels[HOME_LABEL],
      remove: () => removeJob(docker, jobId, onLeak),
    });
    const attach = attachPastOwners(docker, found.Id, [found.Labels[OWNER_LABEL] ?? "", ...owners]);
    return { ...place, backend: { ...place.backend, attach }, labels: found.Labels };
  } catch (error) {
    throw engineError(error, "look for the job's container");
  }
}

/**
 * Leaves an empty volume with this process's label beside what the job's first life made: labels of a container cannot be changed, and its maker is gone.
 * The owners of the lives before, as far as they came here.
 */
async function takeOver(
  docker: Docker,
  job: { readonly jobId: string; readonly runId: string },
  more: Labels = {},
): Promise<string[]> {
  const filters = { label: [`${JOB_LABEL}=${job.jobId}`] };
  const { Volumes: volumes } = await docker.listVolumes({ filters });
  const labels = { ...more, ...jobLabels({ ...job, kind: "job" }) };
  await docker.createVolume({ Labels: labels });
  const owners = (volumes ?? []).map(({ Labels }) => Labels?.[OWNER_LABEL] ?? "");
  return [...new Set(owners)].filter((owner) => owner !== labels[OWNER_LABEL]);
}

/**
 * A client that is attached and does not read holds back the container's output for all others, and in the end their attaching too. Where it is one of the
 * job's own processes of before, stopped, it is ended: it could not learn that the job was taken from it, and would freeze it.
 */
function attachPastOwners(
  docker: Docker,
  id: string,
  owners: readonly string[],
): ShellBackend["attach"] {
  return async (signal) => {
    for (const pid of owners.map(stoppedOwnerPid)) {
      if (pid !== undefined) process.kill(pid, "SIGKILL");
    }
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
