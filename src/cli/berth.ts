import { Command, Option } from "commander";
import { containerCommand } from "./container.ts";
import { demoCommand } from "./demo.ts";
import { doctorCommand } from "./doctor.ts";
import { engineCommand } from "./engine.ts";
import { gcCommand } from "./gc.ts";
import { hostCommand } from "./host.ts";
import { imageCommand } from "./image.ts";
import { type Interrupts, listenForInterrupts } from "./interrupts.ts";
import { jobsCommand } from "./jobs.ts";
import { labelsCommand } from "./labels.ts";
import { describeError, exitCodeOf } from "./print-error.ts";
import { run } from "./run.ts";
import { runCommand } from "./run-options.ts";
import { secretCommand } from "./secret.ts";
import { serveCommand } from "./serve.ts";
import { storeCommand } from "./store.ts";
import { validateCommand } from "./validate.ts";
import { version } from "./version.ts";

const LOG_LEVELS = ["error", "warn", "info", "debug"] as const;
/** How long what is still open may keep an otherwise finished process. */
const LINGER_MS = 1000;

/** As `engines` of package.json says; npm only warns of an older one. */
const OLDEST_NODE = 24;

await main(process.argv);

async function main(argv: readonly string[]): Promise<void> {
  const [major = ""] = process.versions.node.split(".");
  if (Number(major) < OLDEST_NODE) {
    process.stderr.write(
      `berth: needs Node ${OLDEST_NODE} or later, and this is ${process.version}.\n`,
    );
    process.exit(2);
  }
  const interrupts = listenForInterrupts();
  const asked = logLevelOf(argv);
  const logLevel = asked ?? "warn";
  // What Node says of the code of dependencies is for those who work on Berth.
  if (logLevel !== "debug") process.noDeprecation = true;
  // `berth run --list | head`: a reader that has seen enough is no error.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
  try {
    const berth = program(interrupts, logLevel);
    // Wherever it stands: `berth --log-level debug run` as well.
    berth.hook("preAction", (_, command) => {
      if (asked !== undefined) command.setOptionValueWithSource("logLevel", asked, "cli");
    });
    await berth.parseAsync(argv);
  } catch (error) {
    const isInterrupted = interrupts.first.aborted;
    const isCommanders =
      error instanceof Error && "code" in error && String(error.code).startsWith("commander.");
    // Commander has printed its own; an interrupted command has nothing to add.
    if (!isCommanders && !isInterrupted) {
      process.stderr.write(`${describeError(error, { withStack: logLevel === "debug" })}\n`);
    }
    process.exitCode = exitCodeOf(error, { isInterrupted });
  }
  setTimeout(() => process.exit(), LINGER_MS).unref();
}

function program(interrupts: Interrupts, logLevel: string): Command {
  const { first: signal } = interrupts;
  const berth = new Command("berth")
    .description("A fresh container for every GitHub Actions job, on machines of yours.")
    .version(version(), "-V, --version")
    .addCommand(runCommand((files, flags) => startRun(files, flags)))
    .addCommand(demoCommand(interrupts))
    .addCommand(containerCommand(signal))
    .addCommand(gcCommand(signal))
    .addCommand(doctorCommand(signal))
    .addCommand(engineCommand(signal))
    .addCommand(hostCommand(signal))
    .addCommand(jobsCommand(signal))
    .addCommand(labelsCommand(signal))
    .addCommand(imageCommand(signal))
    .addCommand(secretCommand(signal))
    .addCommand(storeCommand(signal))
    .addCommand(validateCommand())
    .addCommand(serveCommand(interrupts))
    .addHelpText(
      "after",
      "\nExample:\n  berth run --list      what would run\n  berth run             run it",
    );
  finishCommand(berth);
  return berth;

  async function startRun(...[files, flags]: Parameters<Parameters<typeof runCommand>[0]>) {
    const { stdout, stderr, env } = process;
    const warn = (line: string) => {
      if (logLevel !== "error") stderr.write(`${line}\n`);
    };
    const io = { stdout, stderr, env, cwd: process.cwd(), warn };
    process.exitCode = await run(files, flags, { io, interrupts });
  }
}

/** What every command shares: `--log-level`, and exit codes that are ours. */
function finishCommand(command: Command): void {
  command
    .addOption(
      new Option("--log-level <level>", "what to tell of Berth itself")
        .choices(LOG_LEVELS)
        .default("warn"),
    )
    .configureOutput({
      outputError: (text, write) => write(text.replace(/^error: /, "berth: ")),
    })
    .showHelpAfterError(`${nameOf(command)} --help shows what it takes.`)
    .exitOverride();
  for (const child of command.commands) finishCommand(child);
}

/** As it is typed: `berth engine status`. */
function nameOf(command: Command): string {
  return command.parent === null ? command.name() : `${nameOf(command.parent)} ${command.name()}`;
}

/** Needed before the arguments are parsed, for errors in them too. */
function logLevelOf(argv: readonly string[]): string | undefined {
  const at = argv.indexOf("--log-level");
  const joined = argv.find((one) => one.startsWith("--log-level="));
  return joined?.slice("--log-level=".length) ?? (at < 0 ? undefined : argv[at + 1]);
}
