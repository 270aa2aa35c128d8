import { homedir } from "node:os";
import { Command } from "commander";
import { z } from "zod";
import { BerthError } from "../../runner/errors.ts";
import { findConfig } from "../config/find-config.ts";
import { configInvalid, readConfig } from "../config/read-config.ts";
import type { ResolvedHost } from "../config/resolve-hosts.ts";
import { probeMachine } from "../hosts/probe-machine.ts";
import { findService } from "./ask-service.ts";
import { hostsOfConfig } from "./hosts-of-config.ts";
import { thisMachine } from "./this-machine.ts";
import { hostReport, hostTable } from "./view/host-report.ts";
import { knownHostsTable } from "./view/known-hosts-table.ts";

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
    .description("List the configuration's hosts and what is free on them, else this machine.")
    .option(
      "-c, --config <file>",
      "the configuration; else as berth validate finds it, else this machine",
    )
    .option("--json", "print one JSON object")
    .option("--docker <endpoint>", "this machine with that engine, as in DOCKER_HOST")
    .addHelpText("after", "\nExample:\n  berth host ls -c berth.yml")
    .action(async (flags: Flags & { readonly config?: string }) => {
      const configured = flags.docker === undefined ? readHosts(flags.config) : undefined;
      if (configured === undefined) {
        const hosts = [await probeMachine({ connect: thisMachine(flags), signal })];
        process.stdout.write(flags.json ? asJson({ hosts }) : hostTable(hosts));
        return;
      }
      const service = findService(flags.config, signal);
      const hosts = await hostsOfConfig(configured, { service, signal });
      process.stdout.write(flags.json ? asJson({ hosts }) : knownHostsTable(hosts));
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

/** `undefined` without a configuration; one that is named must be there. */
function readHosts(named: string | undefined): readonly ResolvedHost[] | undefined {
  const places = { cwd: process.cwd(), env: process.env, home: homedir() };
  let file: string;
  try {
    file = findConfig(named, places);
  } catch (error) {
    if (named === undefined) return undefined;
    throw error;
  }
  const read = readConfig(file, places);
  if ("problems" in read) throw configInvalid(read.problems);
  return read.config.hosts;
}

/** Only this machine can be looked at so closely. */
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
