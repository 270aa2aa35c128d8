import type Docker from "dockerode";
import { textOf } from "../../../runner/errors.ts";
import { engineError } from "../engine-error.ts";
import { collectGarbage, removeJob } from "../gc.ts";
import { jobLabels } from "../labels.ts";
import { type DindMode, dindRequest } from "./dind-request.ts";
import { DIND_PROVEN } from "./dind-script.ts";
import { startDind } from "./start-dind.ts";

/** Whether a daemon in a container of an engine could run a container of its own, in one mode. */
export type DindProof = {
  readonly mode: DindMode;
  readonly works: boolean;
  /** Why not, with the end of the daemon's log. */
  readonly reason?: string;
};

/** As if it were a job, so that what a dead process left of it is found. */
const JOB = "prove-dind";

/**
 * Tries what a job's own daemon may be allowed, one mode after the other: a daemon is started, and has to run a container. What was made for it is gone
 * afterwards. Takes some two seconds a mode.
 *
 * @param options `image` is that of the daemon, which the engine has. `modes`: the least first; privileged is as a rule not asked for.
 * @throws {BerthError} `ENGINE_LOST`, `ENGINE_REFUSED` when no container can be made at all.
 */
export async function proveDind(
  { docker }: { readonly docker: Docker },
  {
    image,
    modes = ["rootless", "capabilities"],
    signal,
  }: {
    readonly image: string;
    readonly modes?: readonly DindMode[];
    readonly signal: AbortSignal;
  },
): Promise<DindProof[]> {
  // Of those that died in the middle of this.
  await collectGarbage(docker, { run: JOB }).catch(() => {});
  const proofs: DindProof[] = [];
  for (const mode of modes) proofs.push(await proveMode(docker, { mode, image, signal }));
  return proofs;
}

async function proveMode(
  docker: Docker,
  { mode, image, signal }: { mode: DindMode; image: string; signal: AbortSignal },
): Promise<DindProof> {
  signal.throwIfAborted();
  const jobId = `${JOB}-${process.pid}-${mode}`;
  const labels = jobLabels({ kind: "dind", jobId, runId: JOB });
  const request = dindRequest({
    mode,
    image,
    labels,
    network: "bridge",
    limits: {},
    proves: true,
  });
  try {
    const container = await docker.createContainer(request).catch((error: unknown) => {
      throw engineError(error, "make the container of a Docker daemon");
    });
    const until = DIND_PROVEN;
    return await startDind(docker, container, { mode, remedy: "", until, signal }).then(
      () => ({ mode, works: true }),
      (error: unknown) => {
        signal.throwIfAborted();
        return { mode, works: false, reason: textOf(error) };
      },
    );
  } finally {
    await removeJob(docker, jobId, () => {});
  }
}
