import type { FarProcess, Link } from "./link.ts";
import { asOneWord, openSession } from "./open-session.ts";

/** How long the machine may take over it, in milliseconds. */
const PATIENCE_MS = 5_000;

/**
 * Ends processes of ours on the far side, those only that are still the same. A half-dead sshd keeps what was attached through it attached, which
 * stops a container once its output is no longer read.
 *
 * @returns Whether the machine has done it.
 */
export async function endProcesses(link: Link, processes: Iterable<FarProcess>): Promise<boolean> {
  const script = [...processes].map(endOne).join(" ");
  if (script === "") return true;
  try {
    const signal = AbortSignal.timeout(PATIENCE_MS);
    const channel = await openSession(link, `exec /bin/sh -c ${asOneWord(script)}`, signal);
    channel.resume();
    channel.stderr.resume();
    const isDone = await new Promise<boolean>((resolve) => {
      channel.on("exit", () => resolve(true));
      channel.on("close", () => resolve(false));
      AbortSignal.any([signal, link.lost]).addEventListener("abort", () => resolve(false));
    });
    channel.close();
    return isDone;
  } catch {
    return false; // the connection is gone too
  }
}

function endOne({ pid, startedAt, isGroup }: FarProcess): string {
  const target = isGroup ? `-${pid}` : String(pid);
  if (startedAt === "") return isGroup ? `kill -KILL ${target} 2>/dev/null;` : "";
  const isSame = `[ "$(cut -d" " -f22 /proc/${pid}/stat 2>/dev/null)" = ${startedAt} ]`;
  return `if ${isSame}; then kill -KILL ${target} 2>/dev/null; fi;`;
}
