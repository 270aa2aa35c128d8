import { Command } from "commander";
import { examineMachine, type Finding } from "../hosts/examine-machine.ts";
import { type PrepareOptions, prepareEngine, prepareImages } from "../hosts/prepare-machine.ts";
import { showSetup } from "./setup-progress.ts";
import { thisMachine } from "./this-machine.ts";

type Flags = { docker?: string; fix?: true; json?: true; brief?: true };

/** `berth doctor`: what of what Berth needs is there; `--fix` makes what is missing. */
export function doctorCommand(signal: AbortSignal): Command {
  return new Command("doctor")
    .description("Say what Berth finds on this machine and what it misses.")
    .option("--fix", "make what is missing: engine, job image, Node")
    .option("--docker <endpoint>", "the engine to use, as in DOCKER_HOST")
    .option("--json", "print one JSON object")
    .option("--brief", "print only what is missing, or has been made")
    .addHelpText("after", "\nExample:\n  berth doctor --fix")
    .action(async (flags: Flags) => {
      const connect = thisMachine(flags);
      if (flags.fix) await fix({ connect, signal });
      const findings = await examineMachine(connect, signal);
      process.stdout.write(
        flags.json ? asJson(findings, connect.stateDir) : asTable(findings, flags),
      );
      if (findings.some(({ ok }) => !ok)) process.exitCode = 3;
    });
}

async function fix(options: Pick<PrepareOptions, "connect" | "signal">): Promise<void> {
  using progress = showSetup(process.stderr);
  const prepare = { ...options, report: progress.report };
  const engine = await prepareEngine(prepare);
  await prepareImages(engine, [], prepare);
}

function asJson(findings: readonly Finding[], stateFolder: string): string {
  const ok = findings.every((finding) => finding.ok);
  return `${JSON.stringify({ ok, stateFolder, findings }, null, 2)}\n`;
}

function asTable(findings: readonly Finding[], { brief }: Flags): string {
  const shown = brief ? findings.filter(({ ok }) => !ok) : findings;
  return shown
    .map(({ name, ok, detail, remedy }) => {
      const after = remedy ? `\n${" ".repeat(17)}${remedy}` : "";
      return `${ok ? "✓" : "✗"} ${name.padEnd(14)} ${detail}${after}\n`;
    })
    .join("");
}
