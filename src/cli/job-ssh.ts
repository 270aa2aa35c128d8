import { userInfo } from "node:os";
import { z } from "zod";
import { execInPod } from "../containers/pods/exec-in-pod.ts";
import { findService } from "./ask-service.ts";
import { ownTerminal } from "./own-terminal.ts";
import { openNamedHost } from "./read-hosts.ts";
import { thisMachine } from "./this-machine.ts";

const Shell = z.object({
  host: z.string(),
  endpoint: z.string(),
  containerId: z.string(),
  workdir: z.string(),
  env: z.array(z.string()),
});

/** Images without bash have a plainer shell. */
const LOGIN = ["/bin/sh", "-c", "if command -v bash >/dev/null; then exec bash; else exec sh; fi"];

/**
 * Opens a shell in a job's container, or runs a command in it, as the job's user; with a terminal where this process has one. The service says where the
 * container is; the way there is this process's own.
 *
 * @returns The exit code of what ran.
 */
export async function sshIntoJob(
  id: string,
  command: readonly string[],
  { config, signal }: { readonly config: string | undefined; readonly signal: AbortSignal },
): Promise<number> {
  const by = { by: userInfo().username };
  const path = `/api/jobs/${encodeURIComponent(id)}/shell`;
  const place = await findService(config, signal).ask("POST", path, Shell, by);
  await using access = await openNamedHost(place.host, config, { connect: thisMachine({}) });
  const engine = await access.engine(place.endpoint, signal);

  const { stdin, stdout } = process;
  const isTerminal = stdin.isTTY && stdout.isTTY;
  const term = isTerminal ? [`TERM=${process.env.TERM ?? "xterm"}`] : [];
  if (isTerminal) stdin.setRawMode(true);
  try {
    return await execInPod(
      { pod: { id: place.containerId, name: `the job ${id}` }, engine },
      {
        ...{ workdir: place.workdir, env: [...place.env, ...term], input: stdin, signal },
        command: command.length === 0 ? LOGIN : command,
        ...(isTerminal && { terminal: ownTerminal() }),
        write: (data, stream) => process[stream].write(data),
      },
    );
  } finally {
    if (isTerminal) stdin.setRawMode(false);
    stdin.unref?.();
  }
}
