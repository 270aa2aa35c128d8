import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { Readable } from "node:stream";
import type Docker from "dockerode";
import type { ShellBackend, ShellConnection } from "../../runner/shell/shell.ts";
import { demultiplexer } from "./demultiplex.ts";
import { engineError, statusOf } from "./engine-error.ts";
import { unlessAborted } from "./unless-aborted.ts";

const KEEP_ALIVE_MS = 15_000;

/**
 * The shell on a container's standard streams. `opened` is a connection that was made before the container started; the first
 * `attach` hands it out. `start` has nothing left to do: the container runs already.
 */
export function containerShell(
  docker: Docker,
  containerId: string,
  opened?: ShellConnection,
): ShellBackend {
  let ready = opened;
  return {
    async attach(signal) {
      signal.throwIfAborted();
      const connection = ready ?? (await attachContainer(docker, containerId, signal));
      ready = undefined;
      return connection;
    },
    async start() {},
    isRunning: (signal) => isRunning(docker, containerId, signal),
    readLog: ({ tail, signal }) => readContainerLog(docker, containerId, { tail, signal }),
  };
}

/**
 * Attaches to a container's streams, started or not. `signal` gives up the attempt; once connected it means nothing more.
 *
 * @throws {BerthError} `ENGINE_LOST`, `ENGINE_REFUSED`
 */
export async function attachContainer(
  docker: Docker,
  containerId: string,
  signal: AbortSignal,
): Promise<ShellConnection> {
  const attached = docker.getContainer(containerId).attach({
    stream: true,
    hijack: true,
    stdin: true,
    stdout: true,
    stderr: true,
  });
  try {
    // dockerode's own signal does not end a hijacked request that the engine leaves unanswered.
    return shellConnection((await unlessAborted(attached, signal)) as Duplex);
  } catch (error) {
    attached.then((late) => (late as Duplex).destroy()).catch(() => {}); // nobody waits for it any more
    signal.throwIfAborted();
    throw engineError(error, "attach to the container");
  }
}

/** @throws {BerthError} `ENGINE_LOST`, `ENGINE_REFUSED` */
async function isRunning(
  docker: Docker,
  containerId: string,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    const { State: state } = await unlessAborted(
      docker.getContainer(containerId).inspect(),
      signal,
    );
    return state.Running;
  } catch (error) {
    if (statusOf(error) === 404) return false;
    throw engineError(error, "inspect the container");
  }
}

/**
 * Splits an attached socket into the shell's streams. It never stops reading: an attach that stops freezes the container, so what
 * nobody takes yet waits in memory here.
 */
function shellConnection(socket: Duplex): ShellConnection {
  const stdout = new Readable({ read() {}, destroy: endSocket });
  const stderr = new Readable({ read() {}, destroy: endSocket });
  const pieces = demultiplexer();
  // Whoever takes this over looks whether it has ended meanwhile.
  for (const output of [stdout, stderr]) output.on("error", () => {});
  // A machine that has gone without a word is missed after half a minute, over TCP; over SSH its connection sees to it.
  if (socket instanceof Socket) socket.setKeepAlive(true, KEEP_ALIVE_MS);

  socket.on("data", (chunk: Buffer) => {
    for (const { stream, data } of pieces(chunk)) {
      const output = stream === "stdout" ? stdout : stderr;
      if (!output.destroyed) output.push(data);
    }
  });
  socket.on("error", (error) => {
    stdout.destroy(error);
    stderr.destroy(error);
  });
  socket.on("close", () => {
    if (!stdout.destroyed) stdout.push(null);
    if (!stderr.destroyed) stderr.push(null);
  });
  socket.on("end", () => socket.destroy());

  return {
    stdin: socket,
    stdout,
    stderr,
    [Symbol.asyncDispose]: async () => void socket.destroy(),
  };

  // Also runs after a normal end, where the socket is closed already.
  function endSocket(error: Error | null, done: (error?: Error | null) => void): void {
    socket.destroy();
    done(error);
  }
}

/** A container's log so far, oldest first; `tail` counts lines from the end. `follow` goes on to the container's end. */
export async function* readContainerLog(
  docker: Docker,
  containerId: string,
  {
    tail,
    follow = false,
    signal,
  }: { tail?: number | undefined; follow?: boolean; signal: AbortSignal },
): AsyncGenerator<{ stream: "stdout" | "stderr"; data: Buffer }> {
  // dockerode's own `logs` gathers a log that is not followed in memory.
  const request = {
    path: `/containers/${containerId}/logs?`,
    method: "GET",
    isStream: true,
    abortSignal: signal,
    statusCodes: { 200: true, 404: "no such container", 500: "server error" } as const,
    options: { stdout: true, stderr: true, follow, tail: tail ?? "all" },
  };
  try {
    const stream = await new Promise<Readable>((resolve, reject) => {
      docker.modem.dial(request, (error, found) => {
        if (found instanceof Readable) resolve(found);
        else reject(error);
      });
    });
    const pieces = demultiplexer();
    for await (const chunk of stream) yield* pieces(chunk);
  } catch (error) {
    signal.throwIfAborted();
    throw engineError(error, "read the container's log");
  }
}
