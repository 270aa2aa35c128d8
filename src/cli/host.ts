import { Command } from "commander";
import { z } from "zod";
import { findService } from "./ask-service.ts";
import { hostAddCommand } from "./host-add.ts";
import { hostListCommand } from "./host-list.ts";
import { hostProbeCommand } from "./host-probe.ts";
import { hostRemoveCommand } from "./host-remove.ts";
import { hostSetupCommand } from "./host-setup.ts";

const Drained = z.object({ name: z.string(), isDrained: z.boolean() });

/** `berth host …`: the machines that jobs run on. */
export function hostCommand(signal: AbortSignal): Command {
  const command = new Command("host")
    .description("The machines that jobs run on, and what they can do.")
    .addHelpText("after", "\nExample:\n  berth host probe");
  command.addCommand(hostListCommand(signal));
  command.addCommand(hostProbeCommand(signal));
  command.addCommand(hostAddCommand(signal));
  command.addCommand(hostRemoveCommand());
  command.addCommand(hostSetupCommand(signal));
  addDrain(command, "drain", signal);
  addDrain(command, "undrain", signal);
  return command;
}

function addDrain(command: Command, verb: "drain" | "undrain", signal: AbortSignal): void {
  const isDrain = verb === "drain";
  command
    .command(verb)
    .description(
      isDrain
        ? "Have the service give a host no new jobs; those that run go on."
        : "Have the service give a host jobs again.",
    )
    .argument("<name>", "a host of the configuration")
    .option("-c, --config <file>", "the service's configuration; else as berth validate finds it")
    .option("--json", "print one JSON object")
    .addHelpText("after", `\nExample:\n  berth host ${verb} gpu-1`)
    .action(async (name: string, flags: { config?: string; json?: true }) => {
      const path = `/api/hosts/${encodeURIComponent(name)}/${verb}`;
      const answer = await findService(flags.config, signal).ask("POST", path, Drained);
      const said = isDrain ? "takes no new jobs now" : "takes jobs again";
      const json = `${JSON.stringify(answer, null, 2)}\n`;
      process.stdout.write(flags.json ? json : `${answer.name} ${said}.\n`);
    });
}
