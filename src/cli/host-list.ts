import { Command } from "commander";
import { BerthError, textOf } from "../../runner/errors.ts";
import type { ResolvedHost } from "../config/resolve-hosts.ts";
import { probeMachine } from "../hosts/probe-machine.ts";
import { lastProbes } from "../store/known-hosts.ts";
import { stateFolder, storeFolder } from "../store/state-folder.ts";
import { findService, type Service } from "./ask-service.ts";
import { probeHost } from "./host-probe.ts";
import { hostsOfConfig } from "./hosts-of-config.ts";
import { readHosts } from "./read-hosts.ts";
import { storeOfConfig } from "./store-of-config.ts";
import { thisMachine } from "./this-machine.ts";
import { hostTable } from "./view/host-report.ts";
import { type LookedAt, sideBySide } from "./view/hosts-side-by-side.ts";
import { knownHostsTable } from "./view/known-hosts-table.ts";

type Flags = {
  readonly config?: string;
  readonly docker?: string;
  readonly json?: true;
  readonly all?: true;
};

/** `berth host ls`: the configuration's hosts and what is free on them, else this machine. */
export function hostListCommand(signal: AbortSignal): Command {
  return new Command("ls")
    .description("List the configuration's hosts and what is free on them, else this machine.")
    .option(
      "-c, --config <file>",
      "the configuration; else as berth validate finds it, else this machine",
    )
    .option("--all", "look at each machine now, and show all that it has, side by side")
    .option("--json", "print one JSON object")
    .option("--docker <endpoint>", "this machine with that engine, as in DOCKER_HOST")
    .addHelpText("after", "\nExample:\n  berth host ls -c berth.yml\n  berth host ls --all")
    .action(async (flags: Flags) => {
      process.stdout.write(await list(flags, signal));
    });
}

async function list(flags: Flags, signal: AbortSignal): Promise<string> {
  const configured = flags.docker === undefined ? readHosts(flags.config)?.hosts : undefined;
  if (flags.all) {
    const hosts = await lookAtAll(configured, flags, signal);
    return flags.json ? asJson({ hosts: hosts.map(toJson) }) : sideBySide(hosts);
  }
  if (configured === undefined) {
    const hosts = [await probeMachine({ connect: thisMachine(flags), signal })];
    return flags.json ? asJson({ hosts }) : hostTable(hosts);
  }
  const service = serviceOf(flags.config, signal);
  const known = lastProbes(storeFolderOf(flags.config));
  const hosts = await hostsOfConfig(configured, { service, lastProbes: known, signal });
  return flags.json ? asJson({ hosts }) : knownHostsTable(hosts);
}

/** All at once: one that does not answer keeps none waiting longer than itself. */
async function lookAtAll(
  configured: readonly ResolvedHost[] | undefined,
  flags: Flags,
  signal: AbortSignal,
): Promise<LookedAt[]> {
  if (configured === undefined) {
    const facts = await probeMachine({ connect: thisMachine(flags), signal });
    return [{ name: facts.name, facts }];
  }
  return await Promise.all(
    configured.map(async (host): Promise<LookedAt> => {
      try {
        return { name: host.name, facts: await probeHost(host, signal) };
      } catch (error) {
        signal.throwIfAborted();
        const remedy = error instanceof BerthError ? error.remedy : undefined;
        return { name: host.name, problem: textOf(error), remedy };
      }
    }),
  );
}

function toJson({ name, facts, problem, remedy }: LookedAt): object {
  return facts ?? { name, problem, remedy };
}

/** The usual one for a file that says nothing of GitHub. */
function storeFolderOf(named: string | undefined): string {
  try {
    return storeOfConfig(named).folder;
  } catch (error) {
    if (!(error instanceof BerthError)) throw error;
    return storeFolder({}, stateFolder(process.env, process.getuid?.()));
  }
}

/** A file that says nothing of GitHub has no service. */
function serviceOf(named: string | undefined, signal: AbortSignal): Service | undefined {
  try {
    return findService(named, signal);
  } catch (error) {
    if (error instanceof BerthError && error.code === "CONFIG_INVALID") return undefined;
    throw error;
  }
}

function asJson(value: object): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
