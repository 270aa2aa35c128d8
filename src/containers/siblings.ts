import type Docker from "dockerode";
import type { Siblings } from "../../runner/job/siblings.ts";
import { buildActionImage } from "./build-image.ts";
import { engineError } from "./engine-error.ts";
import { ensureImage } from "./images.ts";
import { JOB_LABEL, KIND_LABEL } from "./labels.ts";
import { type Leak, removeContainer } from "./remove-objects.ts";
import { type ServicesOptions, serviceContainers } from "./services.ts";
import { stepContainers } from "./step-container.ts";

/** The containers beside a job's own. Nothing of them is kept in this process: any life of the job finds them on the engine. */
export function siblingContainers(docker: Docker, options: ServicesOptions): Siblings {
  const { supply } = options;
  return {
    async pullImage(image, step) {
      await ensureImage(docker, image, { supply, ...step });
    },
    buildImage: (source, step) => buildActionImage(docker, source, { ...options, ...step }),
    ...stepContainers(docker, options),
    ...serviceContainers(docker, options),
  };
}

/** Removes all containers beside a job's own, in any state. Never throws: what stays is reported. */
export async function removeSiblings(
  docker: Docker,
  jobId: string,
  onLeak: (leak: Leak) => void,
): Promise<void> {
  const filters = { label: [`${JOB_LABEL}=${jobId}`] };
  const found = await docker.listContainers({ all: true, filters }).catch((cause: unknown) => {
    onLeak({ kind: "container", id: jobId, cause: engineError(cause, "list a job's containers") });
    return [];
  });
  // By what they are: a container that fills a volume has the labels of the image it was made from.
  const siblings = found.filter(({ Labels: labels }) =>
    ["service", "step", "dind"].includes(labels[KIND_LABEL] ?? ""),
  );
  await Promise.all(
    siblings.map(({ Id: id }) =>
      removeContainer(docker, id).catch((cause) => onLeak({ kind: "container", id, cause })),
    ),
  );
}
