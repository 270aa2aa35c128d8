import { Command } from "commander";
import { type EngineFolder, engineFolder } from "../hosts/engine-folder.ts";
import { enginePid, removeEngine, stopEngine } from "../hosts/own-engine.ts";
import { engineProbe } from "../hosts/prepare-machine.ts";
import { thisMachine } from "./this-machine.ts";

/** `berth engine`: the engine that Berth started itself, and no other. */
export function engineCommand(signal: AbortSignal): Command {
  const command = new Command("engine")
    .description("The container engine that Berth started on this machine.")
    .addHelpText("after", "\nExample:\n  berth engine status");

  command
    .command("status")
    .description("Say whether it runs. Exit code 3 when it does not.")
    .option("--json", "print one JSON object")
    .addHelpText("after", "\nExample:\n  berth engine status --json")
    .action(async ({ json }: { json?: true }) => {
      const status = await readStatus(signal);
      process.stdout.write(json ? `${JSON.stringify(status, null, 2)}\n` : asText(status));
      if (!status.running) process.exitCode = 3;
    });

  command
    .command("stop")
    .description("End it and all its containers.")
    .option("--remove", "delete its images, containers and volumes as well")
    .addHelpText("after", "\nExample:\n  berth engine stop --remove")
    .action(async ({ remove }: { remove?: true }) => {
      const folder = ownFolder();
      const pid = await enginePid(folder);
      await stopEngine(folder, signal);
      if (remove) await removeEngine(folder, signal);
      const done = pid === undefined ? "No engine of Berth's was running." : "Stopped.";
      process.stdout.write(`${done}${remove ? ` Removed ${folder.path}.` : ""}\n`);
    });
  return command;
}

type Status = {
  readonly running: boolean;
  readonly pid?: number;
  readonly endpoint: string;
  readonly folder: string;
};

async function readStatus(signal: AbortSignal): Promise<Status> {
  const { socket, path } = ownFolder();
  const pid = await enginePid(ownFolder());
  const running = await engineProbe(thisMachine({}))(socket, signal);
  return {
    running,
    ...(pid !== undefined && { pid }),
    endpoint: `unix://${socket}`,
    folder: path,
  };
}

function asText({ running, pid, endpoint, folder }: Status): string {
  if (running) return `running as process ${pid} at ${endpoint}\n`;
  const state = pid === undefined ? "not running" : `process ${pid} runs, but does not answer`;
  return `${state} (${folder})\n`;
}

function ownFolder(): EngineFolder {
  return engineFolder(thisMachine({}).stateDir);
}
