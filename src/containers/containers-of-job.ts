import type Docker from "dockerode";
import { engineError } from "./engine-error.ts";
import { JOB_LABEL } from "./labels.ts";
import { POD_LABEL } from "./pods/pod-labels.ts";

const IDS = new WeakMap<Docker, Promise<string>>();

/**
 * What an engine calls itself: the same at each of its sockets, and of no other engine.
 *
 * @throws {BerthError} `ENGINE_LOST`, `ENGINE_REFUSED`
 */
export function engineId(docker: Docker): Promise<string> {
  const known = IDS.get(docker);
  if (known !== undefined) return known;
  const asked: Promise<string> = docker.info().then(
    ({ ID }: { ID?: string }) => ID ?? "",
    (cause: unknown) => {
      IDS.delete(docker);
      throw engineError(cause, "ask it about itself");
    },
  );
  IDS.set(docker, asked);
  return asked;
}

/**
 * Whether an engine has containers of a job, or the pod of that id, running or not.
 *
 * @throws {BerthError} `ENGINE_LOST`, `ENGINE_REFUSED`
 */
export async function hasContainersOf(docker: Docker, job: string): Promise<boolean> {
  try {
    const found = await Promise.all(
      [JOB_LABEL, POD_LABEL].map((label) =>
        docker.listContainers({ all: true, filters: { label: [`${label}=${job}`] } }),
      ),
    );
    return found.flat().length > 0;
  } catch (cause) {
    throw engineError(cause, "list a job's containers");
  }
}
