import type { Duplex } from "node:stream";
import { StringDecoder } from "node:string_decoder";
import type Docker from "dockerode";
import { BerthError } from "../../../runner/errors.ts";
import { demultiplexer } from "../demultiplex.ts";
import { engineError } from "../engine-error.ts";

export type RunInContainerOptions = {
  /** As of `docker exec --user`; root when left out. */
  readonly user?: string;
  readonly env?: { readonly [name: string]: string };
  /** With a terminal, whose output all goes to `stdout`. */
  readonly tty?: boolean;
  /** Hears each line of stderr as it is printed. */
  onLine?(line: string): void;
  /** The longest wait for its end, in milliseconds. What it runs is not ended by that. */
  readonly limitMs: number;
  readonly signal: AbortSignal;
};

export type RunEnd = {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
};

/** More than any script of Berth's prints, so that what an image puts in a program's place cannot fill the memory. */
const MOST_CHARACTERS = 1024 ** 2;

/**
 * Runs a POSIX `sh` script in a running container, to its end, beside what runs there.
 *
 * @throws {BerthError} `SETUP_FAILED` when it takes longer than `limitMs`; `ENGINE_LOST`, `ENGINE_REFUSED`
 * @throws The signal's reason when it is aborted.
 */
export async function runInContainer(
  docker: Docker,
  containerId: string,
  script: string,
  { user = "0", env = {}, tty = false, onLine, limitMs, signal }: RunInContainerOptions,
): Promise<RunEnd> {
  signal.throwIfAborted();
  const limit = AbortSignal.timeout(limitMs);
  try {
    const exec = await docker.getContainer(containerId).exec({
      Cmd: ["/bin/sh", "-c", script],
      User: user,
      WorkingDir: "/",
      Env: Object.entries(env).map(([name, value]) => `${name}=${value}`),
      // A program that looks for its terminal has one on its input as well.
      AttachStdin: tty,
      AttachStdout: true,
      AttachStderr: true,
      Tty: tty,
    });
    const stream = await exec.start({ hijack: tty, stdin: tty, Tty: tty });
    // One without a size is no use to programs that draw.
    if (tty) await exec.resize({ w: 80, h: 24 }).catch(() => {});
    const heard = await hear(stream, { tty, onLine }, AbortSignal.any([limit, signal]));
    const { ExitCode: exitCode } = await exec.inspect();
    return { exitCode: exitCode ?? -1, ...heard };
  } catch (error) {
    signal.throwIfAborted();
    if (limit.aborted) throw tookTooLong(limitMs);
    throw engineError(error, "run a script in the container");
  }
}

async function hear(
  stream: Duplex,
  { tty, onLine }: { readonly tty: boolean; readonly onLine: RunInContainerOptions["onLine"] },
  stop: AbortSignal,
): Promise<{ stdout: string; stderr: string }> {
  const pieces = demultiplexer();
  const stdout = gather();
  const stderr = gather(onLine);
  stream.on("data", (chunk: Buffer) => {
    if (tty) stdout.add(chunk);
    else
      for (const { stream: which, data } of pieces(chunk))
        (which === "stdout" ? stdout : stderr).add(data);
  });
  await new Promise<void>((resolve, reject) => {
    stream.on("end", resolve);
    stream.on("close", resolve);
    stream.on("error", reject);
    stop.addEventListener("abort", () => reject(stop.reason), { once: true });
    if (stop.aborted) reject(stop.reason);
  }).finally(() => stream.destroy());
  return { stdout: stdout.text(), stderr: stderr.text() };
}

function gather(onLine?: (line: string) => void) {
  const decoder = new StringDecoder("utf8");
  let kept = "";
  let line = "";
  return {
    add(data: Buffer) {
      const text = decoder.write(data);
      if (kept.length < MOST_CHARACTERS) kept += text;
      if (onLine === undefined) return;
      const lines = (line + text).split("\n");
      line = (lines.pop() ?? "").slice(0, MOST_CHARACTERS);
      for (const one of lines) onLine(one);
    },
    text: () => kept,
  };
}

function tookTooLong(limitMs: number): BerthError {
  return new BerthError("SETUP_FAILED", {
    message: `A script in the container took longer than ${limitMs / 1000} s, and is not waited for any more.`,
    remedy:
      "See with `berth container exec ID -- ps` what it hangs on, often a package server that does not answer.",
  });
}
