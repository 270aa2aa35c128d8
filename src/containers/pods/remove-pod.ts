import { reasonOf, statusOf } from "../engine-error.ts";
import { type Leak, removeContainer, removeVolume } from "../remove-objects.ts";
import type { FoundPod } from "./list-pods.ts";
import { isDataVolume, POD_LABEL } from "./pod-labels.ts";

export type RemovedPod = {
  readonly id: string;
  readonly name: string;
  readonly host: string;
  /** Volumes that went with it. */
  readonly removedVolumes: readonly string[];
  /** Volumes that were made for it, by a name of the person's, and stay. */
  readonly keptVolumes: readonly string[];
  /** What could not be removed, and why. */
  readonly leaks: readonly string[];
};

/**
 * Removes a pod in any state, with its anonymous volumes and an inner engine's data; what it claimed is let go. Volumes with names of the person's stay, unless
 * `volumes`; one that another container uses stays in any case.
 *
 * @param releaseClaims Lets go of what the pod claimed on its host.
 * @throws {BerthError} `ENGINE_LOST`, `ENGINE_REFUSED` when the container itself stays.
 */
export async function removePod(
  { pod, podId, engine }: FoundPod,
  options: { readonly volumes: boolean; releaseClaims?(podId: string): Promise<void> },
): Promise<RemovedPod> {
  const { docker } = engine;
  await removeContainer(docker, pod.id);
  const leaks: string[] = [];
  const removedVolumes: string[] = [];
  const keptVolumes: string[] = [];
  const leak = (kind: Leak["kind"] | "claim", id: string, cause: unknown) =>
    leaks.push(`${kind} ${id}: ${reasonOf(cause)}`);

  for (const { name, isData } of await volumesOf(docker, podId)) {
    if (!isData && !options.volumes) {
      keptVolumes.push(name);
      continue;
    }
    try {
      await removeVolume(docker, name);
      removedVolumes.push(name);
    } catch (error) {
      if (statusOf(error) === 409) keptVolumes.push(name);
      else leak("volume", name, error);
    }
  }
  await options.releaseClaims?.(podId).catch((error) => leak("claim", podId, error));
  const { id, name, host } = pod;
  return { id, name, host, removedVolumes, keptVolumes, leaks };
}

async function volumesOf(
  docker: FoundPod["engine"]["docker"],
  podId: string,
): Promise<{ name: string; isData: boolean }[]> {
  const filters = { label: [`${POD_LABEL}=${podId}`] };
  const { Volumes: volumes } = await docker.listVolumes({ filters });
  return (volumes ?? []).map(({ Name: name, Labels: labels }) => ({
    name,
    isData: isDataVolume(labels),
  }));
}
