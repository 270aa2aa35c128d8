import { spawn } from "node:child_process";
import { open } from "node:fs/promises";
import { createInterface } from "node:readline";
import { BerthError } from "../../runner/errors.ts";

/** What a failed command left behind: the `cause` of the BerthError that `runCommand` throws. */
export type CommandFailure = {
  readonly command: string;
  /** Of a set-up, where it was one of its. */
  readonly step?: string;
  /** Absent when the program could not be started at all. */
  readonly exitCode?: number;
  readonly stdout: string;
  readonly stderr: string;
};

export type RunCommandOptions = {
  readonly signal: AbortSignal;
  readonly env?: { readonly [name: string]: string };
  readonly cwd?: string;
  /** File that takes standard output in place of the result. */
  readonly stdoutFile?: string;
  /** Each line printed, as it comes. */
  onLine?(line: string): void;
};

/** Enough to see why a program failed, whatever it printed before. */
const KEPT_CHARACTERS = 64 * 1024;

/**
 * Runs a program to its end and returns what it printed on standard output.
 *
 * @throws {BerthError} `SETUP_FAILED`, with a `CommandFailure` as its cause, when it cannot be started or fails.
 */
export async function runCommand(
  argv: readonly [string, ...string[]],
  options: RunCommandOptions,
): Promise<string> {
  const { signal, onLine } = options;
  signal.throwIfAborted();
  const [program, ...args] = argv;
  const file = options.stdoutFile ? await open(options.stdoutFile, "w") : undefined;
  const printed = { stdout: "", stderr: "" };

  try {
    const child = spawn(program, args, {
      stdio: ["ignore", file?.fd ?? "pipe", "pipe"],
      env: { ...process.env, ...options.env },
      cwd: options.cwd,
      signal,
      killSignal: "SIGTERM",
    });
    for (const name of ["stdout", "stderr"] as const) {
      const stream = child[name];
      if (!stream) continue;
      createInterface({ input: stream }).on("line", (line) => {
        printed[name] = `${printed[name]}${line}\n`.slice(-KEPT_CHARACTERS);
        onLine?.(line);
      });
    }
    const exitCode = await new Promise<number>((resolve, reject) => {
      child.on("error", reject);
      child.on("close", (code, killedBy) => resolve(code ?? (killedBy ? 128 : 1)));
    });
    signal.throwIfAborted();
    if (exitCode !== 0) throw commandFailed({ command: argv.join(" "), exitCode, ...printed });
    return printed.stdout;
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof BerthError) throw error;
    throw commandFailed({ command: argv.join(" "), ...printed, stderr: String(error) });
  } finally {
    await file?.close();
  }
}

/** The error of a command that failed, wherever it ran. */
export function commandFailed(failure: CommandFailure): BerthError {
  const { exitCode, stdout, stderr, step } = failure;
  const [firstLine = "", ...moreLines] = failure.command.split("\n");
  const command = moreLines.length === 0 ? firstLine : `${firstLine} …`;
  const lastLines = (stderr.trim() || stdout.trim()).split("\n").slice(-8).join("\n  ");
  const what =
    exitCode === undefined ? "could not be started" : `failed with exit code ${exitCode}`;
  return new BerthError("SETUP_FAILED", {
    message: `${step === undefined ? "" : `${step}: `}"${command}" ${what}:\n  ${lastLines}`,
    remedy: `Run "${command}" yourself; when it works, run this command again.`,
    cause: failure,
  });
}
