import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const MEMORY_BYTES = 4 * 1024 * 1024;
const READ_BYTES = 256 * 1024;

/**
 * Holds bytes until they can be used, in the order they came: the first 4 MiB in memory, the rest in a file without a
 * name. Synchronous, because a stream's reader may never make the stream wait.
 */
export type Spill = Disposable & {
  push(bytes: Buffer): void;
  /** The oldest bytes, at most 4 MiB, removed from here; `undefined` when there are none. */
  shift(): Buffer | undefined;
};

export function createSpill(): Spill {
  let memory: Buffer[] = [];
  let memoryBytes = 0;
  let file: number | undefined;
  let written = 0;
  let read = 0;

  return {
    push(bytes) {
      // Once something is in the file, all that follows goes there too, or the order is lost.
      if (written === read && memoryBytes + bytes.length <= MEMORY_BYTES) {
        memory.push(Buffer.from(bytes));
        memoryBytes += bytes.length;
        return;
      }
      file ??= openNameless();
      for (let at = 0; at < bytes.length; ) {
        at += writeSync(file, bytes, at, bytes.length - at, written + at);
      }
      written += bytes.length;
    },
    shift() {
      if (memory.length > 0) {
        const bytes = Buffer.concat(memory);
        memory = [];
        memoryBytes = 0;
        return bytes;
      }
      if (file === undefined || read === written) return undefined;
      const bytes = Buffer.alloc(Math.min(READ_BYTES, written - read));
      const length = readSync(file, bytes, 0, bytes.length, read);
      read += length;
      return bytes.subarray(0, length);
    },
    [Symbol.dispose]() {
      if (file !== undefined) closeSync(file);
      file = undefined;
      written = read = 0;
    },
  };
}

function openNameless(): number {
  const folder = mkdtempSync(join(tmpdir(), "berth-spill-"));
  try {
    return openSync(join(folder, "bytes"), "wx+", 0o600);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
