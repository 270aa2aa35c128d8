import { homedir } from "node:os";
import { Command } from "commander";
import { BerthError } from "../../runner/errors.ts";
import { findConfig } from "../config/find-config.ts";
import { configInvalid, type ReadConfig, readConfig } from "../config/read-config.ts";
import type { ServiceConfig } from "../config/resolve-files.ts";

type Flags = { config?: string; json?: true };

/** `berth validate`: says what is wrong with `berth.yml`, or what is in it; starts nothing. */
export function validateCommand(): Command {
  return new Command("validate")
    .description("Check berth.yml and start nothing. Exit code 2 when something is wrong.")
    .option(
      "-c, --config <file>",
      "the configuration; else berth.yml here, the user's, the machine's",
    )
    .option("--json", "print one JSON object")
    .addHelpText("after", "\nExample:\n  berth validate -c berth.yml")
    .action((flags: Flags) => {
      if (flags.json) printJson(flags.config);
      else process.stdout.write(validate(flags.config));
    });
}

function validate(named: string | undefined): string {
  const { file, read } = readNamed(named);
  if ("problems" in read) throw configInvalid(read.problems);
  return `${file} is valid.\n${summary(read.config)}`;
}

function printJson(named: string | undefined): void {
  const { ok, ...result } = asJson(named);
  process.stdout.write(`${JSON.stringify({ ok, ...result }, null, 2)}\n`);
  if (!ok) process.exitCode = 2;
}

function asJson(named: string | undefined): { ok: boolean } & Record<string, unknown> {
  try {
    const { file, read } = readNamed(named);
    if (!("problems" in read)) return { ok: true, file, problems: [] };
    const problems = read.problems.map(({ line, column, message }) => ({
      file,
      line,
      column,
      message,
    }));
    return { ok: false, file, problems };
  } catch (error) {
    if (!(error instanceof BerthError)) throw error;
    return { ok: false, problems: [{ message: error.message, remedy: error.remedy }] };
  }
}

function readNamed(named: string | undefined): { file: string; read: ReadConfig } {
  const { env } = process;
  const cwd = process.cwd();
  const file = findConfig(named, { cwd, env, home: homedir() });
  return { file, read: readConfig(file, { env, cwd }) };
}

function summary({ github, intake, listen, hosts, profiles, policy }: ServiceConfig): string {
  const address = `${listen.host.includes(":") ? `[${listen.host}]` : listen.host}:${listen.port}`;
  const rows = [
    ["GitHub", `${github.url}, App ${github.app.id}`],
    ["intake", `${intake}, HTTP on ${address}${secretCount(github.webhookSecrets.length)}`],
    ...hosts.map((host, index) => [index === 0 ? "hosts" : "", describeHost(host)]),
    ["profiles", Object.keys(profiles).join(", ") || "none"],
    ["policy", `${policy.repositories.join(", ")}; forks: ${policy.forks}`],
  ];
  return rows.map(([title = "", text = ""]) => `  ${title.padEnd(9)} ${text}\n`).join("");
}

function secretCount(count: number): string {
  return count < 2 ? "" : `, ${count} webhook secrets`;
}

function describeHost({
  name,
  docker,
  ssh,
  engine,
  slots,
}: ServiceConfig["hosts"][number]): string {
  const where = ssh === undefined ? (docker ?? "this machine") : `over SSH, ${ssh}`;
  const which = engine === undefined ? "" : `, ${engine} engine`;
  return `${name}: ${where}${which}, ${slots} job${slots === 1 ? "" : "s"} at once`;
}
