import { join } from "node:path";
import { Command } from "commander";
import { BerthError } from "../../runner/errors.ts";
import type { HostAccess } from "../hosts/host-access.ts";
import { localShell } from "../hosts/machine-shell.ts";
import { openHost } from "../hosts/open-host.ts";
import { openSetupLog } from "../hosts/setup/setup-log.ts";
import { type SetupAnswer, setupOnDemand } from "../hosts/setup/setup-on-demand.ts";
import type { SetupPart, SetupWish } from "../hosts/setup/setup-plan.ts";
import { hostTarget } from "./host-target.ts";
import { findHost } from "./read-hosts.ts";
import { showSetup } from "./setup-progress.ts";
import { thisMachine } from "./this-machine.ts";
import { setupReport } from "./view/setup-report.ts";

type Flags = {
  readonly config?: string;
  readonly docker?: true;
  readonly rootless?: true;
  readonly nvidia?: true;
  readonly plan?: true;
  readonly yes?: true;
  readonly json?: true;
};

/** `berth host setup [NAME]`: what a machine needs to run jobs, as commands; `--yes` runs them. */
export function hostSetupCommand(signal: AbortSignal): Command {
  return new Command("setup")
    .description(
      "Say what a machine lacks to run containers, as commands with reasons; with --yes run them.",
    )
    .argument("[name]", "a host of the configuration; this machine when left out")
    .option("--rootless", "a Docker of the login user's, which needs no root once it is there")
    .option("--docker", "the system's Docker")
    .option("--nvidia", "driver and container toolkit for GPUs of NVIDIA as well")
    .option("--plan", "print the plan and change nothing (default)")
    .option("--yes", "apply the plan")
    .option("-c, --config <file>", "the configuration; else as berth validate finds it")
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      "\nWithout --rootless and --docker an engine that answers will do; else an ordinary user gets a rootless one, and the system's where that cannot work.\n\nExample:\n  berth host setup gpu-1\n  berth host setup gpu-1 --nvidia --yes",
    )
    .action(async (name: string | undefined, flags: Flags) => {
      refuseContradictions(flags);
      const { access, preferred } = await openAccess(name, flags);
      await using _access = access;
      const answer = await setUp(access, { flags, preferred, signal });
      const again = ["berth host setup", ...(name ? [name] : []), ...kept(flags), "--yes"];
      const text = setupReport(answer, { name: access.name, apply: again.join(" ") });
      process.stdout.write(flags.json ? `${JSON.stringify(answer, null, 2)}\n` : text);
      const isHeld = answer.obstacles.length > 0 || answer.error !== undefined;
      if (isHeld) process.exitCode = 3;
    });
}

function refuseContradictions(flags: Flags): void {
  for (const [one, other] of [
    ["docker", "rootless"],
    ["plan", "yes"],
  ] as const) {
    if (!flags[one] || !flags[other]) continue;
    throw new BerthError("USAGE", {
      message: `--${one} and --${other} exclude each other.`,
      remedy: "Leave one of them out.",
    });
  }
}

type Access = Pick<HostAccess, "name" | "shell" | typeof Symbol.asyncDispose>;
type Opened = { readonly access: Access; readonly preferred: SetupWish["engine"] };

async function openAccess(name: string | undefined, flags: Flags): Promise<Opened> {
  const connect = thisMachine({});
  if (name === undefined) {
    const shell = localShell(connect.env);
    const access = { name: "This machine", shell, [Symbol.asyncDispose]: async () => {} };
    return { access, preferred: undefined };
  }
  const host = findHost(name, flags.config).host;
  const { engine } = host;
  const preferred = engine === "podman" ? undefined : engine;
  return { access: await openHost(hostTarget(host), { connect }), preferred };
}

type How = {
  readonly flags: Flags;
  readonly preferred: SetupWish["engine"];
  readonly signal: AbortSignal;
};

async function setUp(access: Access, { flags, preferred, signal }: How): Promise<SetupAnswer> {
  const named = flags.docker ? "docker" : flags.rootless ? "rootless" : undefined;
  // Whoever names an engine means that one; of root's there is no other way round.
  const engines: SetupPart[] = named === undefined ? ["docker", "rootless"] : [named];
  const wish = { engine: named ?? preferred, nvidia: flags.nvidia === true };
  const options = {
    allow: [...engines, ...(flags.nvidia ? (["toolkit", "driver"] as const) : [])],
    ...{ wish, signal },
  };
  if (!flags.yes) return await setupOnDemand(access, { ...options, mode: "plan" });

  await using log = await openSetupLog(setupLogFile(access.name));
  using progress = showSetup(process.stderr);
  const answer = await setupOnDemand(access, {
    ...{ ...options, log, mode: "auto" },
    report: progress.report,
  });
  if (answer.error !== undefined) {
    process.stderr.write(`All that was run, and what it printed: ${log.file}\n`);
  }
  return answer;
}

/** Where all that was run on a host is kept. */
export function setupLogFile(name: string): string {
  return join(thisMachine({}).stateDir, "setup", `${name.toLowerCase().replaceAll(" ", "-")}.log`);
}

function kept(flags: Flags): string[] {
  const told = (["rootless", "docker", "nvidia"] as const).filter((flag) => flags[flag]);
  const config = flags.config === undefined ? [] : [`-c ${flags.config}`];
  return [...told.map((flag) => `--${flag}`), ...config];
}
