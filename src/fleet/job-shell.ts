import { textOf } from "../../runner/errors.ts";
import type { JobShell } from "../server/service-api.ts";
import type { JobRecord } from "../store/records.ts";
import { executionId } from "./execution-id.ts";
import type { HostPlaces } from "./host-places.ts";

/** Where somebody gets into a job: one that runs, or that is kept after it has failed. Else why not, in a sentence. */
export async function jobShell(
  job: JobRecord,
  hostOf: (name: string) => Pick<HostPlaces, "findContainer"> | undefined,
): Promise<JobShell | { readonly refused: string }> {
  const { id, state, host: name } = job;
  if (state === "queued") return { refused: `${id} does not run yet: it waits for a place.` };
  if (state === "completed" && job.kept === undefined) {
    return { refused: `${id} has ended, and its container is gone.` };
  }
  const host = name === undefined ? undefined : hostOf(name);
  if (name === undefined || host === undefined) {
    return { refused: `${id} runs on ${name}, which is not in berth.yml any more.` };
  }
  if (host.findContainer === undefined) {
    return {
      refused: `${id} runs on ${name} without a container engine, in a folder of that machine: there is no container to open a shell in.`,
    };
  }
  try {
    const found = await host.findContainer(executionId(job));
    if (found === undefined)
      return { refused: `${id} has no container on ${name} at this moment.` };
    const { endpoint, containerId, workspace } = found;
    return { host: name, endpoint, containerId, workdir: workspace, env: envOf(job, workspace) };
  } catch (error) {
    return { refused: `${name} does not answer: ${textOf(error)}` };
  }
}

/** What steps have from the beginning, as far as it is no secret; what steps set for those after them is known to the job alone. */
function envOf({ repository, jobKey, id }: JobRecord, workspace: string): string[] {
  return [
    "CI=true",
    "GITHUB_ACTIONS=true",
    `GITHUB_REPOSITORY=${repository}`,
    `GITHUB_WORKSPACE=${workspace}`,
    ...(jobKey === undefined ? [] : [`GITHUB_JOB=${jobKey}`]),
    "RUNNER_TEMP=/__w/_temp",
    "RUNNER_TOOL_CACHE=/__t",
    `BERTH_JOB=${id}`,
  ];
}
