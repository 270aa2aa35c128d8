import { spawn } from "node:child_process";
import { StringDecoder } from "node:string_decoder";
import { BerthError, textOf } from "../../runner/errors.ts";

/** What a script printed, and how it ended. */
export type ScriptEnd = {
  /** 128 and the signal's number when a signal ended it. */
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
};

export type RunScriptOptions = {
  /** Given to the script on its standard input, then closed; secrets go here, never into the script. */
  readonly stdin?: string | Uint8Array | undefined;
  /** Hears each line as it is printed. */
  onLine?(line: string, stream: "stdout" | "stderr"): void;
  /** The longest it may take, in milliseconds; what it started is killed then. No limit when left out. */
  readonly limitMs?: number | undefined;
  readonly signal: AbortSignal;
};

/** Commands on a machine, here or over SSH. */
export type MachineShell = {
  /**
   * Runs a POSIX `sh` script to its end, as the login user. A failure of the script is an exit code, not an error. What it prints beyond 4 MiB of
   * each stream is dropped.
   *
   * @throws {BerthError} `HOST_UNREACHABLE` when the machine cannot be asked, or the script took longer than `limitMs`.
   * @throws The signal's reason when it is aborted; what the script started is killed.
   */
  run(script: string, options: RunScriptOptions): Promise<ScriptEnd>;
};

/** Of a stream of a script that is kept. */
export const MOST_CHARACTERS = 4 * 1024 ** 2;

/** This machine's own. `env` is what the script finds in its environment. */
export function localShell(env: { readonly [name: string]: string | undefined }): MachineShell {
  return { run: (script, options) => runHere(script, env, options) };
}

async function runHere(
  script: string,
  env: { readonly [name: string]: string | undefined },
  { stdin, onLine, limitMs, signal }: RunScriptOptions,
): Promise<ScriptEnd> {
  signal.throwIfAborted();
  // A process group of its own, so that whatever a hung program started goes with it.
  const child = spawn("/bin/sh", ["-c", script], {
    env: { ...env },
    stdio: ["pipe", "pipe", "pipe"],
    detached: true,
  });
  const stdout = collect(child.stdout, (line) => onLine?.(line, "stdout"));
  const stderr = collect(child.stderr, (line) => onLine?.(line, "stderr"));
  // A script that reads nothing closes it before everything is written.
  child.stdin.on("error", () => {});
  child.stdin.end(stdin ?? "");

  const limit = limitMs === undefined ? [] : [AbortSignal.timeout(limitMs)];
  const ending = AbortSignal.any([signal, ...limit]);
  let end = () => {};
  try {
    const exitCode = await new Promise<number>((resolve, reject) => {
      end = () => reject(ending.reason);
      ending.addEventListener("abort", end, { once: true });
      child.on("error", reject);
      child.on("close", (code, killedBy) => resolve(code ?? 128 + signalNumber(killedBy)));
    });
    return { exitCode, stdout: stdout(), stderr: stderr() };
  } catch (error) {
    signal.throwIfAborted();
    if (ending.aborted) throw tookTooLong(limitMs ?? 0);
    throw new BerthError("HOST_UNREACHABLE", {
      message: `A script could not be run on this machine: ${textOf(error)}`,
      cause: error,
    });
  } finally {
    // One that is listened to is kept for as long as the signal lives.
    ending.removeEventListener("abort", end);
    endGroup(child.pid);
    child.stdout.destroy();
    child.stderr.destroy();
  }
}

/** The same words wherever the script ran. */
export function tookTooLong(limitMs: number): BerthError {
  return new BerthError("HOST_UNREACHABLE", {
    message: `A script took longer than ${limitMs / 1000} s, and was ended.`,
    remedy: "See what keeps the machine busy: its load, its disks, a driver that hangs.",
  });
}

function collect(stream: NodeJS.ReadableStream, onLine: (line: string) => void): () => string {
  const decoder = new StringDecoder("utf8");
  let kept = "";
  let line = "";
  stream.on("data", (bytes: Buffer) => {
    const text = decoder.write(bytes);
    if (kept.length < MOST_CHARACTERS) kept += text;
    const lines = (line + text).split("\n");
    line = lines.pop()?.slice(-MOST_CHARACTERS) ?? "";
    for (const one of lines) onLine(one);
  });
  stream.on("end", () => line !== "" && onLine(line));
  return () => kept;
}

function signalNumber(name: NodeJS.Signals | null): number {
  return name === "SIGKILL" ? 9 : 15;
}

function endGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // It has ended, and all that it started with it.
  }
}
