import { Command } from "commander";
import { z } from "zod";
import { BerthError } from "../../runner/errors.ts";
import { probeMachine } from "../hosts/probe-machine.ts";
import { findService } from "./ask-service.ts";
import { thisMachine } from "./this-machine.ts";
import { hostReport, hostTable } from "./view/host-report.ts";

type Flags = { readonly docker?: string; readonly json?: true };

const Drained = z.object({ name: z.string(), isDrained: z.boolean() });

/** `berth host ls|probe`: what the machines that jobs run on can do. `drain|undrain`: whether the service gives one new jobs. */
export function hostCommand(signal: AbortSignal): Command {
  const command = new Command("host")
    .description("The machines that jobs run on, and what they can do.")
    .addHelpText("after", "\nExample:\n  berth host probe");
  command
    .command("probe")
    .description("Find out what a machine has: system, engines, GPUs. Changes nothing.")
    .argument("[name]", "a host of the configuration; this machine when left out")
    .option("--json", "print one JSON object")
    .option("--docker <endpoint>", "the engine to use, as in DOCKER_HOST")
    .addHelpText("after", "\nExample:\n  berth host probe --json | jq .gpus")
    .action(async (name: string | undefined, flags: Flags) => {
      refuseName(name);
      const facts = await probeMachine({ connect: thisMachine(flags), signal });
      process.stdout.write(flags.json ? asJson(facts) : hostReport(facts));
    });
  command
    .command("ls")
    .description("List the hosts, each probed now.")
    .argument("[name]", "a host of the configuration")
    .option("--json", "print one JSON object")
    .option("--docker <endpoint>", "the engine to use, as in DOCKER_HOST")
    .addHelpText("after", "\nExample:\n  berth host ls")
    .action(async (name: string | undefined, flags: Flags) => {
      refuseName(name);
      const hosts = [await probeMachine({ connect: thisMachine(flags), signal })];
      process.stdout.write(flags.json ? asJson({ hosts }) : hostTable(hosts));
    });
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
      process.stdout.write(flags.json ? asJson(answer) : `${answer.name} ${said}.\n`);
    });
}

/** Only this machine is known until hosts can be configured. */
function refuseName(name: string | undefined): void {
  if (name === undefined) return;
  throw new BerthError("NOT_SUPPORTED_YET", {
    message: `There is no host ${name}: machines other than this one come later.`,
    remedy: "Leave the name out to look at this machine.",
  });
}

function asJson(value: object): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
