import { KIND_LABEL, type Labels, OWNER_LABEL } from "../labels.ts";
import { thisOwner } from "../owner.ts";

/** On a pod and on all that was made for it: which one. */
export const POD_LABEL = "io.berth.pod";
/** The port, inside, at which the SSH server for its user is to listen. */
export const SSH_LABEL = "io.berth.pod.ssh";
/** The UDP ports for mosh, the same inside and outside: `60010-60014`. */
export const MOSH_LABEL = "io.berth.pod.mosh";
/** On the volume of an inner engine's data, which always goes with the pod. */
const DATA_LABEL = "io.berth.pod.data";
/** Names the GPUs that a pod was given: UUIDs, one blank between them. */
export const GPUS_LABEL = "io.berth.pod.gpus";
export const GPU_MODEL_LABEL = "io.berth.pod.gpu-model";

const POD_KIND = "pod";

/** Labels of a pod's container. A pod belongs to a person and to no process: nothing here makes it garbage when this process ends. */
export function podLabels(pod: {
  readonly podId: string;
  readonly sshPort?: number | undefined;
  readonly moshPorts?: string | undefined;
  readonly gpus?: readonly { readonly uuid: string; readonly model: string }[];
}): Labels {
  const { podId, sshPort, moshPorts, gpus = [] } = pod;
  return {
    [KIND_LABEL]: POD_KIND,
    [POD_LABEL]: podId,
    [OWNER_LABEL]: thisOwner(),
    ...(sshPort !== undefined && { [SSH_LABEL]: String(sshPort) }),
    ...(moshPorts !== undefined && { [MOSH_LABEL]: moshPorts }),
    ...(gpus.length > 0 && { [GPUS_LABEL]: gpus.map(({ uuid }) => uuid).join(" ") }),
    ...(gpus[0] !== undefined && { [GPU_MODEL_LABEL]: gpus[0].model }),
  };
}

/** Labels of a volume that was made for a pod. */
export function podVolumeLabels(podId: string, { isData }: { readonly isData: boolean }): Labels {
  return {
    [KIND_LABEL]: "pod-volume",
    [POD_LABEL]: podId,
    ...(isData && { [DATA_LABEL]: "true" }),
  };
}

export function isPod(labels: Labels | undefined): boolean {
  return labels?.[KIND_LABEL] === POD_KIND;
}

export function isDataVolume(labels: Labels | undefined): boolean {
  return labels?.[DATA_LABEL] !== undefined;
}

/** What finds pods in the engine's lists. */
export const POD_FILTER = { label: [`${KIND_LABEL}=${POD_KIND}`] };
