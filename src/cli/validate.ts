import { homedir } from "node:os";
import { Command } from "commander";
import { BerthError } from "../../runner/errors.ts";
import { findConfig } from "../config/find-config.ts";
import { configInvalid, type ReadConfig, readConfig } from "../config/read-config.ts";
import type { ServiceConfig } from "../config/resolve-files.ts";
import { exitCodeOf } from "./print-error.ts";

type Flags = { config?: string; json?: true; online?: true };

/** `berth validate`: says what is wrong with `berth.yml`, or what is in it; starts nothing. With `--online` it asks GitHub about the App too. */
export function validateCommand(): Command {
  return new Command("validate")
    .description("Check berth.yml and start nothing. Exit code 2 when something is wrong.")
    .option(
      "-c, --config <file>",
      "the configuration; else berth.yml here, the user's, the machine's",
    )
    .option("--online", "ask GitHub too: the App's key, permissions, events, webhook")
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      "\nExample:\n  berth validate -c berth.yml\n  berth validate --online    once the App is made",
    )
    .action((flags: Flags) => (flags.json ? printJson(flags) : validate(flags)));
}

async function validate(flags: Flags): Promise<void> {
  const { file, read } = readNamed(flags.config);
  if ("problems" in read) throw configInvalid(read.problems);
  process.stdout.write(`${file} is valid.\n${summary(read.config)}`);
  if (!flags.online) return;
  // Octokit is loaded for this alone.
  const { describeOnline, onlineInvalid, validateOnline } = await import("./validate-online.ts");
  const online = await validateOnline(read.config, { env: process.env, secrets: read.secrets });
  process.stdout.write(describeOnline(online));
  if (online.problems.length > 0) throw onlineInvalid(online);
}

async function printJson(flags: Flags): Promise<void> {
  const { exitCode, ...result } = await asJson(flags);
  process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
  process.exitCode = exitCode;
}

type Result = {
  readonly ok: boolean;
  readonly exitCode: number;
  readonly [field: string]: unknown;
};

async function asJson(flags: Flags): Promise<Result> {
  try {
    const { file, read } = readNamed(flags.config);
    if (!("problems" in read)) return { ...(await onlineAsJson(read, flags)), file };
    const problems = read.problems.map(({ line, column, message }) => ({
      file,
      line,
      column,
      message,
    }));
    return { ok: false, exitCode: 2, file, problems };
  } catch (error) {
    if (!(error instanceof BerthError)) throw error;
    const exitCode = exitCodeOf(error, { isInterrupted: false });
    return { ok: false, exitCode, problems: [{ message: error.message, remedy: error.remedy }] };
  }
}

async function onlineAsJson(
  { config, secrets }: Exclude<ReadConfig, { problems: unknown }>,
  { online }: Flags,
): Promise<Result> {
  if (!online) return { ok: true, exitCode: 0, problems: [] };
  const { validateOnline } = await import("./validate-online.ts");
  const found = await validateOnline(config, { env: process.env, secrets });
  const ok = found.problems.length === 0;
  return { ok, exitCode: ok ? 0 : 2, ...found };
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
