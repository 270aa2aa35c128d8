import { text } from "node:stream/consumers";
import type Docker from "dockerode";
import { attachContainer } from "./container-shell.ts";
import { engineError } from "./engine-error.ts";
import { collectGarbage } from "./gc.ts";
import { jobLabels } from "./labels.ts";
import { removeContainer } from "./remove-objects.ts";

/** As if it were a job, so that what a dead process left of it is found. */
const HELPER = "try-limits";

const LIMIT_BYTES = 64 * 1024 ** 2;

/** What the container finds as its limit: control groups of version 2, else of version 1. */
const SCRIPT =
  "cat /sys/fs/cgroup/memory.max 2>/dev/null || cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null || echo none";

/**
 * Whether an engine holds a container to its limit of memory: one is started with a limit, and reads it from inside. `true`, or a sentence that says what it
 * found instead.
 *
 * @param image One that is there, with `/bin/sh` and `cat`.
 * @throws {BerthError} `ENGINE_LOST`, `ENGINE_REFUSED` when no container could be started at all.
 */
export async function tryLimits(
  docker: Docker,
  image: string,
  signal: AbortSignal,
): Promise<true | string> {
  const found = (await readLimit(docker, image, signal)).trim();
  // Of those that died in the middle of this; what stays now goes the next time.
  await collectGarbage(docker, { job: HELPER }).catch(() => {});
  if (found === String(LIMIT_BYTES)) return true;
  const instead = /^\d+$/.test(found) && Number(found) < 2 ** 60 ? `${found} bytes` : "none";
  return `A container was to have at most ${LIMIT_BYTES} bytes of memory, and the limit it has is ${instead}.`;
}

async function readLimit(docker: Docker, image: string, signal: AbortSignal): Promise<string> {
  let id: string | undefined;
  try {
    signal.throwIfAborted();
    const container = await docker.createContainer({
      Image: image,
      User: "0:0",
      Entrypoint: ["/bin/sh", "-c", SCRIPT],
      // So that a sweep finds it, should this process die now.
      Labels: { ...jobLabels({ kind: "step", jobId: HELPER, runId: "none" }) },
      HostConfig: {
        NetworkMode: "none",
        Memory: LIMIT_BYTES,
        CapDrop: ["ALL"],
        SecurityOpt: ["no-new-privileges"],
      },
    });
    id = container.id;
    await using connection = await attachContainer(docker, id, signal);
    await container.start();
    const [stdout] = await Promise.all([text(connection.stdout), container.wait()]);
    return stdout;
  } catch (error) {
    signal.throwIfAborted();
    throw engineError(error, "start a container with a limit of memory");
  } finally {
    if (id !== undefined) await removeContainer(docker, id).catch(() => {});
  }
}
