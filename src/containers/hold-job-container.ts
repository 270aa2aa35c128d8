import type Docker from "dockerode";
import { engineError } from "./engine-error.ts";
import { NONCE_LABEL } from "./labels.ts";

/*
 * The nonce is an argument of the job's shell and of all that it forked, and of nothing else in a process namespace, be that the container's own or the host's.
 * A shell that is process 1 of its own cannot be killed from inside, but ends when those are gone that it waits for; and the container ends with it.
 */
const HOLD = `trap '' INT TERM HUP
sleep "$BERTH_HOLD_SECONDS" || exit 1
for one in /proc/[0-9]*; do
  case $(tr '\\0' ' ' <"$one/cmdline" 2>/dev/null) in
  *" $BERTH_HOLD_NONCE "*) kill -KILL "\${one#/proc/}" ;;
  esac
done`;

/**
 * Lets a job's container run on, and for no longer than that: it ends itself then, whoever is there to see it.
 *
 * @returns False when it does not run any more, or cannot be told to end.
 * @throws {BerthError} `ENGINE_LOST`, `ENGINE_REFUSED`
 */
export async function holdJobContainer(
  docker: Docker,
  containerId: string,
  seconds: number,
): Promise<boolean> {
  const container = docker.getContainer(containerId);
  try {
    const { State: state, Config: config } = await container.inspect();
    const nonce = config.Labels?.[NONCE_LABEL];
    if (!state.Running || state.Paused || nonce === undefined) return false;
    const exec = await container.exec({
      Cmd: ["/bin/sh", "-c", HOLD],
      User: "0",
      WorkingDir: "/",
      Env: [`BERTH_HOLD_SECONDS=${Math.ceil(seconds)}`, `BERTH_HOLD_NONCE=${nonce}`],
    });
    await exec.start({ Detach: true });
    const { Running: isRunning } = await exec.inspect();
    return isRunning;
  } catch (error) {
    throw engineError(error, "keep the job's container for a look");
  }
}
