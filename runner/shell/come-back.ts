import { setTimeout as sleep } from "node:timers/promises";
import { BerthError } from "../errors.ts";
import { type FrameListener, readFrames } from "./frames.ts";
import type { ShellBackend } from "./shell.ts";

const FIRST_TAIL = 64;
const MAX_TAIL = 8 ** 7;
const FLUSH_PATIENCE_MS = 10_000;

/** Up to where something has been told: so many bytes after the last frame that says where one is; from the very beginning when there was none. */
export type Position = { readonly after: string; readonly bytes: number };

/** Frames that a shell prints once, and in the order of its commands. */
const MARKS = new Set(["ready", "begin", "end", "poked"]);

/** Where one is after a frame. */
export function positionAfter(position: Position, words: readonly string[]): Position {
  if (MARKS.has(words[0] ?? "")) return { after: words.slice(0, 2).join(" "), bytes: 0 };
  return { after: position.after, bytes: position.bytes + lengthOf(words) };
}

type Since = FrameListener & {
  readonly backend: ShellBackend;
  readonly nonce: string;
  /** Of the sync whose marker joins log and stream. */
  readonly token: string;
  readonly signal: AbortSignal;
};

/** Whether a frame is where to begin: with what follows it, or with the frame itself. */
type IsStart = (words: readonly string[]) => "after" | "here" | undefined;

/**
 * Tells what the shell printed from a position up to the marker of our `sync`; what comes after the marker comes from the stream. Where the
 * log has lost the beginning, a line says so.
 *
 * @throws {BerthError} `SHELL_LOST` when the marker does not get into the log.
 */
export async function readOutputSince(position: Position, since: Since): Promise<void> {
  const { backend, signal } = since;
  if (backend.readLog === undefined) {
    since.onBytes(Buffer.from("Berth: what was printed while nobody listened was not kept.\n"));
    return;
  }

  const starts = startsFor(position);
  const read = { toldBytes: position.bytes, leftBytes: 0 };
  const deadline = Date.now() + FLUSH_PATIENCE_MS;
  let start = 0;
  let tail: number | undefined = position.after === "" ? undefined : FIRST_TAIL;
  for (;;) {
    const log = backend.readLog({ ...(tail !== undefined && { tail }), signal });
    const isStart = starts[start] ?? fromWhatIsLeft;
    const { started, joined } = await readOnce(log, isStart, since, read);
    signal.throwIfAborted();
    if (started && joined) return;
    if (!joined) {
      // The engine writes its log a little later than its stream.
      if (Date.now() > deadline) throw noMarker();
      await sleep(20, undefined, { signal });
    }
    if (tail !== undefined) tail = tail >= MAX_TAIL ? undefined : tail * 8;
    else if (!started && joined) {
      start++;
      read.toldBytes = 0;
      if (starts[start] === fromWhatIsLeft) since.onBytes(missing(read.leftBytes));
    }
  }
}

const fromWhatIsLeft: IsStart = () => "here";

/** Where to begin; the next one when the one before is not in the log any more. */
function startsFor({ after, bytes }: Position): readonly IsStart[] {
  if (after === "") return [fromWhatIsLeft];
  const isMark: IsStart = (words) =>
    words.slice(0, 2).join(" ") === after || (after === "ready" && words[0] === after)
      ? "after"
      : undefined;
  const [verb, number] = after.split(" ");
  const next = verb === "ready" ? 1 : verb === "end" ? Number(number) + 1 : undefined;
  if (bytes > 0 || next === undefined) return [isMark, fromWhatIsLeft];
  const isNext: IsStart = ([word, of]) =>
    word === "begin" && of === String(next) ? "here" : undefined;
  return [isMark, isNext, fromWhatIsLeft];
}

function lengthOf(words: readonly string[]): number {
  return words.join(" ").length;
}

/** Reads a log once, tells what has not been told yet, stops at the marker. */
async function readOnce(
  log: ReturnType<NonNullable<ShellBackend["readLog"]>>,
  isStart: IsStart,
  since: Since,
  read: { toldBytes: number; leftBytes: number },
): Promise<{ started: boolean; joined: boolean }> {
  let started = isStart([]) === "here";
  let joined = false;
  let atBytes = 0;
  read.leftBytes = 0;
  /** How much of the next `length` bytes was told in an earlier reading. */
  const advance = (length: number): number => {
    const known = Math.min(Math.max(read.toldBytes - atBytes, 0), length);
    atBytes += length;
    read.toldBytes = Math.max(read.toldBytes, atBytes);
    return known;
  };
  const take = readFrames(since.nonce, {
    onBytes(bytes) {
      if (joined) return;
      read.leftBytes += bytes.length;
      if (!started) return;
      const known = advance(bytes.length);
      if (known < bytes.length) since.onBytes(bytes.subarray(known));
    },
    onFrame(words) {
      if (joined) return;
      if (words[0] === "sync" && words[1] === since.token) {
        joined = true;
      } else if (started) {
        if (advance(lengthOf(words)) === 0) since.onFrame(words);
      } else {
        const where = isStart(words);
        started = where !== undefined;
        if (where === "here") since.onFrame(words);
      }
    },
  });

  for await (const { stream, data } of log) {
    if (stream === "stdout") take(data);
    if (joined) break;
  }
  return { started, joined };
}

function missing(leftBytes: number): Buffer {
  return Buffer.from(
    `Berth: the beginning of this output is missing. The log kept only its last ${leftBytes} bytes while nobody listened.\n`,
  );
}

function noMarker(): BerthError {
  return new BerthError("SHELL_LOST", {
    message: "The log of the job's container does not show what its shell has just printed.",
    remedy: "Look whether the disk of the container engine is full.",
  });
}
