import { Command } from "commander";
import type { ResolvedHost } from "../config/resolve-hosts.ts";
import type { HostFacts } from "../hosts/host-facts.ts";
import { openHost } from "../hosts/open-host.ts";
import { probeMachine } from "../hosts/probe-machine.ts";
import { hostTarget } from "./host-target.ts";
import { findHost } from "./read-hosts.ts";
import { thisMachine } from "./this-machine.ts";
import { hostReport } from "./view/host-report.ts";

type Flags = { readonly config?: string; readonly docker?: string; readonly json?: true };

/** `berth host probe [NAME]`: what a machine has. */
export function hostProbeCommand(signal: AbortSignal): Command {
  return new Command("probe")
    .description("Find out what a machine has: system, engines, GPUs. Changes nothing.")
    .argument("[name]", "a host of the configuration; this machine when left out")
    .option("-c, --config <file>", "the configuration; else as berth validate finds it")
    .option("--json", "print one JSON object")
    .option("--docker <endpoint>", "on this machine: the engine to use, as in DOCKER_HOST")
    .addHelpText(
      "after",
      "\nExample:\n  berth host probe gpu-1\n  berth host probe --json | jq .gpus",
    )
    .action(async (name: string | undefined, flags: Flags) => {
      const { facts, place } = await look(name, flags, signal);
      const json = `${JSON.stringify(facts, null, 2)}\n`;
      process.stdout.write(flags.json ? json : hostReport(facts, place));
    });
}

async function look(name: string | undefined, flags: Flags, signal: AbortSignal) {
  if (name === undefined) {
    const facts = await probeMachine({ connect: thisMachine(flags), signal });
    return { facts, place: "this machine" };
  }
  const { host } = findHost(name, flags.config);
  return { facts: await probeHost(host, signal), place: placeOf(host) };
}

/**
 * What a host of the configuration has, seen from here. Its name is that of the configuration.
 *
 * @throws {BerthError} As `HostAccess.probe`.
 */
export async function probeHost(host: ResolvedHost, signal: AbortSignal): Promise<HostFacts> {
  await using access = await openHost(hostTarget(host), { connect: thisMachine({}) });
  return { ...(await access.probe(signal)), name: host.name };
}

/** `ubuntu@10.0.0.5`, an engine's address, or "this machine". */
function placeOf({ ssh, docker }: ResolvedHost): string {
  return ssh ?? docker ?? "this machine";
}
