import { Command } from "commander";
import { BerthError } from "../../runner/errors.ts";
import { probeMachine } from "../hosts/probe-machine.ts";
import { thisMachine } from "./this-machine.ts";
import { hostReport, hostTable } from "./view/host-report.ts";

type Flags = { readonly docker?: string; readonly json?: true };

/** `berth host ls|probe`: what the machines that jobs run on can do. */
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
  return command;
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
