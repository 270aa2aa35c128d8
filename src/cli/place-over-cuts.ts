import { setTimeout as sleep } from "node:timers/promises";
import type Docker from "dockerode";
import { textOf } from "../../runner/errors.ts";
import type { ExecuteJobDeps } from "../../runner/job/execute-job.ts";
import { deathOf } from "../../runner/job/job-death.ts";
import { engineError } from "../containers/engine-error.ts";
import { collectGarbage } from "../containers/gc.ts";
import { patientPlaces } from "../fleet/patient-places.ts";
import type { HostAccess } from "../hosts/host-access.ts";
import type { HostFacts } from "../hosts/host-facts.ts";

type OpenPlace = ExecuteJobDeps["openPlace"];

const LOOK_AGAIN_MS = 1000;

/**
 * Opens places on a machine whose connection may be cut while they are made: what was made of one goes, and it is made once more. On this machine there is
 * nothing to wait for.
 */
export function placeOverCuts(
  open: OpenPlace,
  { access, docker }: { readonly access: Pick<HostAccess, "name" | "onChange">; docker: Docker },
): OpenPlace {
  if (access.onChange === undefined) return open;
  return (request, opening) =>
    patientPlaces(open, {
      host: access,
      cancelled: opening.signal,
      onWait: () => {},
      clear: () => isCleared(docker, request.jobId),
      async answers(_, { onProblem, signal }) {
        for (;;) {
          signal.throwIfAborted();
          const problem = await whyNoAnswer(docker);
          if (problem === undefined) return;
          onProblem(problem);
          await sleep(LOOK_AGAIN_MS, undefined, { signal });
        }
      },
    })(request, opening);
}

/** Looks at a machine once more when the connection was cut meanwhile. */
export async function probeOverCuts(
  access: Pick<HostAccess, "probe" | "onChange">,
  signal: AbortSignal,
): Promise<HostFacts> {
  try {
    return await access.probe(signal);
  } catch (error) {
    signal.throwIfAborted();
    if (access.onChange === undefined || deathOf(error) !== "host-lost") throw error;
    return await access.probe(signal);
  }
}

async function whyNoAnswer(docker: Docker): Promise<string | undefined> {
  try {
    await docker.ping();
    return undefined;
  } catch (error) {
    return textOf(engineError(error, "answer at all"));
  }
}

/** False where that cannot be said. */
async function isCleared(docker: Docker, job: string): Promise<boolean> {
  try {
    const { leaks } = await collectGarbage(docker, { job, isAlive: () => false });
    return leaks.length === 0;
  } catch {
    return false;
  }
}
