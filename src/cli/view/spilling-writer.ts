import {
  closeSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readSync,
  rmSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Writable } from "node:stream";
import { setImmediate as nextTurn } from "node:timers/promises";

/** Writes text in order, whatever the reader's pace; disposing of it waits until all of it is written. */
export type SpillingWriter = AsyncDisposable & { write(text: string): void };

const CHUNK_BYTES = 256 * 1024;

/**
 * Writes to a stream without ever making the caller wait: what a slow reader has not taken is kept in memory up to `memoryBytes`, and
 * beyond that in a temporary file that has no name. A reader that is gone is told nothing more.
 */
export function spillingWriter(
  stream: Writable,
  { memoryBytes = 4 * 1024 * 1024 }: { memoryBytes?: number } = {},
): SpillingWriter {
  const spill = spillFile();
  let waiting: Buffer[] = [];
  let waitingBytes = 0;
  let isReaderGone = false;
  let pumping: Promise<void> | undefined;
  stream.on("error", () => {
    isReaderGone = true; // EPIPE: `berth run | head` has seen enough
  });

  /** The memory comes first: the file only ever holds what is younger. */
  const take = (): Buffer | undefined => {
    if (waiting.length === 0) return spill.read(CHUNK_BYTES);
    const chunk = Buffer.concat(waiting);
    waiting = [];
    waitingBytes = 0;
    return chunk;
  };
  const pump = async () => {
    for (let chunk = take(); chunk !== undefined && !isReaderGone; chunk = take()) {
      const { promise: isWritten, resolve } = Promise.withResolvers<void>();
      stream.write(chunk, () => resolve());
      await isWritten;
    }
    pumping = undefined;
  };

  return {
    write(text) {
      if (isReaderGone) return;
      const bytes = Buffer.from(text);
      const fits = spill.isEmpty() && waitingBytes + bytes.length <= memoryBytes;
      if (fits) {
        waiting.push(bytes);
        waitingBytes += bytes.length;
      } else spill.append(bytes);
      // What one turn tells goes out together, and after what the turn itself sends to a job.
      pumping ??= nextTurn().then(pump);
    },
    async [Symbol.asyncDispose]() {
      while (pumping !== undefined) await pumping;
      spill.close();
    },
  };
}

/** A queue of bytes in a file that is unlinked while it is open, so that nothing of it can be left behind. */
function spillFile() {
  let fd: number | undefined;
  let readAt = 0;
  let writeAt = 0;
  const isEmpty = () => readAt === writeAt;

  return {
    isEmpty,
    append(bytes: Buffer) {
      fd ??= openUnnamed();
      for (let done = 0; done < bytes.length; ) {
        const written = writeSync(fd, bytes, done, bytes.length - done, writeAt);
        done += written;
        writeAt += written;
      }
    },
    read(limitBytes: number): Buffer | undefined {
      if (fd === undefined || isEmpty()) return undefined;
      const chunk = Buffer.alloc(Math.min(limitBytes, writeAt - readAt));
      const length = readSync(fd, chunk, 0, chunk.length, readAt);
      readAt += length;
      if (isEmpty()) {
        ftruncateSync(fd);
        readAt = 0;
        writeAt = 0;
      }
      return chunk.subarray(0, length);
    },
    close() {
      if (fd !== undefined) closeSync(fd);
      fd = undefined;
    },
  };
}

function openUnnamed(): number {
  const folder = mkdtempSync(join(tmpdir(), "berth-output-"));
  try {
    return openSync(join(folder, "spilled"), "wx+", 0o600);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
