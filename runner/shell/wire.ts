import { BerthError } from "../errors.ts";
import { type Block, readBlocks, readFrames } from "./frames.ts";
import type { ShellConnection } from "./shell.ts";
import { createSpill, type Spill } from "./spill.ts";

export type WireListener = {
  onBytes(bytes: Buffer): void;
  /** A frame among the bytes of stdout. */
  onFrame(words: readonly string[]): void;
  /** A frame of stderr; their order between the streams says nothing. */
  onNote(words: readonly string[]): void;
  limitOf(block: { number: number; index: number }): number | undefined;
  onBlock(block: Block): void;
};

/** A connection whose streams are read from the first moment to the last, whatever its listener does. */
export type Wire = AsyncDisposable & {
  type(bytes: Buffer | string): void;
  /** Aborted, with the reason, when the connection ended or the shell broke its protocol. */
  readonly lost: AbortSignal;
  /** Whether it was lost because the connection ended, not by what the shell did or who has it. */
  readonly wasCut: boolean;
  lose(reason: BerthError): void;
  /** As if the connection had ended. */
  cut(reason: BerthError): void;
  /** Rejects with the reason when the wire is lost before `promise` settles. */
  untilLost<T>(promise: Promise<T>): Promise<T>;
  /** From now on what comes on stdout is held back, on disk if it is much. */
  hold(): void;
  /** Hands what was held to the listener, then everything else as it comes. */
  release(): Promise<void>;
};

/** Takes over a connection and tells `listener` what comes in. */
export function createWire(
  connection: ShellConnection,
  nonce: string,
  listener: WireListener,
): Wire {
  const lost = new AbortController();
  const lostReason = Promise.withResolvers<never>();
  lostReason.promise.catch(() => {}); // most wires are lost while nobody waits
  let spill: Spill | undefined;
  let wasCut = false;

  const lose = (reason: BerthError) => {
    if (lost.signal.aborted) return;
    lost.abort(reason);
    lostReason.reject(reason);
    spill?.[Symbol.dispose]();
  };
  const cut = (reason: BerthError) => {
    wasCut ||= !lost.signal.aborted;
    lose(reason);
  };
  const guard = (read: (chunk: Buffer) => void) => (chunk: Buffer) => {
    if (lost.signal.aborted) return;
    try {
      read(chunk);
    } catch (cause) {
      lose(cause instanceof BerthError ? cause : listenerFailed(cause));
    }
  };

  const direct = { onBytes: listener.onBytes, onFrame: listener.onFrame };
  const readStdout = readFrames(nonce, {
    onBytes: (bytes) => (spill === undefined ? listener.onBytes(bytes) : spill.push(bytes)),
    onFrame(words) {
      if (spill === undefined) listener.onFrame(words);
      else spill.push(Buffer.from(`\x1e${nonce} ${words.join(" ")}\n`, "latin1"));
    },
  });
  connection.stdout.on("data", guard(readStdout));
  const blocks = { ...listener, onFrame: listener.onNote };
  connection.stderr.on("data", guard(readBlocks(nonce, blocks)));
  for (const event of ["end", "close"]) connection.stdout.on(event, () => cut(shellLost()));
  for (const stream of [connection.stdout, connection.stderr]) {
    stream.on("error", (cause) => cut(shellLost(cause)));
    if (stream.destroyed) cut(shellLost(stream.errored));
  }
  // The shell says on its other streams why it went; a failed write is only the first sign of it.
  connection.stdin.on("error", (cause) => {
    setTimeout(() => cut(shellLost(cause)), 1000).unref();
  });

  return {
    type: (bytes) => {
      if (!lost.signal.aborted) connection.stdin.write(bytes);
    },
    lost: lost.signal,
    get wasCut() {
      return wasCut;
    },
    lose,
    cut,
    untilLost: (promise) => Promise.race([promise, lostReason.promise]),
    hold() {
      spill ??= createSpill();
    },
    async release() {
      const readHeld = guard(readFrames(nonce, direct));
      for (let bytes = spill?.shift(); bytes !== undefined; bytes = spill?.shift()) {
        readHeld(bytes);
        // The streams are read between two pieces: what they bring is appended to the same spill.
        await new Promise((resolve) => setImmediate(resolve));
      }
      spill?.[Symbol.dispose]();
      spill = undefined;
    },
    async [Symbol.asyncDispose]() {
      lose(shellLost());
      await connection[Symbol.asyncDispose]();
    },
  };
}

export function shellLost(cause?: unknown): BerthError {
  return new BerthError("SHELL_LOST", {
    message:
      "The connection to the job's shell ended: its container stopped, or the engine went away.",
    remedy:
      "A step that stops the container or kills all processes ends its job; else look at the engine.",
    cause,
  });
}

function listenerFailed(cause: unknown): BerthError {
  return new BerthError("SHELL_LOST", {
    message: `The output of the job could not be handled: ${String(cause)}.`,
    cause,
  });
}
