import type Docker from "dockerode";
import { engineError } from "./engine-error.ts";
import { WORKSPACE_LABEL } from "./job-place.ts";
import { JOB_LABEL, KIND_LABEL } from "./labels.ts";

/** A job's own container, as one who wants to get in needs it. */
export type JobContainer = { readonly containerId: string; readonly workspace: string };

/**
 * The container of a job while it runs; `undefined` when the engine has none.
 *
 * @throws {BerthError} `ENGINE_LOST`, `ENGINE_REFUSED`
 */
export async function findJobContainer(
  docker: Docker,
  jobId: string,
): Promise<JobContainer | undefined> {
  const filters = { label: [`${JOB_LABEL}=${jobId}`, `${KIND_LABEL}=job`], status: ["running"] };
  try {
    const [found] = await docker.listContainers({ filters });
    return found && { containerId: found.Id, workspace: found.Labels[WORKSPACE_LABEL] ?? "/" };
  } catch (error) {
    throw engineError(error, "look for the job's container");
  }
}
