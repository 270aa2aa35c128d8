import { homedir } from "node:os";
import type { ConnectEngineOptions } from "../containers/connect-engine.ts";
import type { EngineCommand } from "../containers/tell-commands.ts";
import { stateFolder } from "../store/state-folder.ts";

/** How the engine of this machine is looked for, by the user who runs this process. */
export function thisMachine(flags: {
  readonly docker?: string | undefined;
  /** At `debug` each request to the engine is printed. */
  readonly logLevel?: string;
}): ConnectEngineOptions {
  const uid = process.getuid?.();
  return {
    endpoint: flags.docker,
    env: process.env,
    home: homedir(),
    uid: uid ?? -1,
    stateDir: stateFolder(process.env, uid),
    ...(flags.logLevel === "debug" && { onCommand: printCommand }),
  };
}

function printCommand({ method, path, status, error, ms }: EngineCommand): void {
  process.stderr.write(`engine: ${method} ${path} ${status ?? error} ${ms} ms\n`);
}
