import type { Duplex, Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import type Docker from "dockerode";
import { demultiplexer } from "../demultiplex.ts";
import { engineError } from "../engine-error.ts";
import type { FoundPod } from "./list-pods.ts";

export type ExecInPodOptions = {
  readonly command: readonly string[];
  readonly user?: string | undefined;
  readonly workdir?: string | undefined;
  /** `NAME=value` */
  readonly env?: readonly string[];
  /** A terminal inside; `onResize` hears of the size of the one outside, and gives what ends that. */
  readonly terminal?:
    | {
        size(): { readonly columns: number; readonly rows: number };
        onResize(listener: () => void): () => void;
      }
    | undefined;
  /** Handed on to it until it ends; nothing when left out. */
  readonly input?: Readable | undefined;
  write(data: Buffer, stream: "stdout" | "stderr"): void;
  readonly signal: AbortSignal;
};

/**
 * Runs a command in a pod, with a terminal or plain streams, to its end.
 *
 * @returns Its exit code; 126 and 127, as a shell has it, for one that cannot be run.
 * @throws {BerthError} `ENGINE_LOST`, `ENGINE_REFUSED`
 */
export async function execInPod(
  {
    pod,
    engine,
  }: {
    readonly pod: Pick<FoundPod["pod"], "id" | "name">;
    readonly engine: Pick<FoundPod["engine"], "docker">;
  },
  options: ExecInPodOptions,
): Promise<number> {
  const { command, user, workdir, env = [], terminal, input, signal } = options;
  const isTty = terminal !== undefined;
  try {
    const exec = await engine.docker.getContainer(pod.id).exec({
      Cmd: [...command],
      AttachStdin: input !== undefined,
      AttachStdout: true,
      AttachStderr: true,
      Tty: isTty,
      Env: [...env],
      ...(user !== undefined && { User: user }),
      ...(workdir !== undefined && { WorkingDir: workdir }),
    });
    const stream = await exec.start({ hijack: true, stdin: input !== undefined, Tty: isTty });
    const resize = () => setSize(exec, terminal?.size() ?? { columns: 80, rows: 24 });
    if (isTty) void resize();
    const endResize = terminal?.onResize(() => void resize());
    try {
      await pipe(stream, options);
    } finally {
      endResize?.();
      signal.throwIfAborted();
    }
    const { ExitCode: exitCode } = await exec.inspect();
    return exitCode ?? 0;
  } catch (error) {
    signal.throwIfAborted();
    throw engineError(error, `run ${command[0]} in ${pod.name}`);
  }
}

const RESIZE_TRIES = 10;

/** The engine refuses until the command really runs, which is moments after it said that it started. Never throws: it may have ended. */
async function setSize(
  exec: Docker.Exec,
  { columns: w, rows: h }: { readonly columns: number; readonly rows: number },
): Promise<void> {
  for (let tries = 1; tries <= RESIZE_TRIES; tries++) {
    try {
      await exec.resize({ w, h });
      return;
    } catch {
      await sleep(10 * tries);
    }
  }
}

async function pipe(
  stream: Duplex,
  { terminal, input, write, signal }: ExecInPodOptions,
): Promise<void> {
  const pieces = demultiplexer();
  stream.on("data", (chunk: Buffer) => {
    if (terminal !== undefined) write(chunk, "stdout");
    else for (const { stream: which, data } of pieces(chunk)) write(data, which);
  });
  const stop = () => stream.destroy();
  signal.addEventListener("abort", stop, { once: true });
  // What is typed after it has ended has no reader.
  input?.on("error", () => {});
  if (input !== undefined) input.pipe(stream);
  try {
    await new Promise<void>((resolve, reject) => {
      stream.on("end", resolve);
      stream.on("close", resolve);
      stream.on("error", reject);
    });
  } finally {
    input?.unpipe(stream);
    input?.pause();
    signal.removeEventListener("abort", stop);
    stream.destroy();
  }
}
