import { once } from "node:events";
import { constants } from "node:fs";
import { type FileHandle, lstat, open, readlink } from "node:fs/promises";
import { dirname } from "node:path/posix";
import { isNativeError } from "node:util/types";
import type { Header, Pack } from "tar-stream";
import { isGone } from "./list-tree.ts";

/** Something for the archive. */
export type TarEntry = {
  /** In the archive, with `/` between folders. */
  readonly name: string;
  /** On the disk, absolute. */
  readonly path: string;
};

type EntryHeader = Partial<Header> & Pick<Header, "name">;
type WriteOptions = { progress(line: string): void; readonly signal: AbortSignal };

/**
 * Writes files, links and folders into an archive, and the folders that they lie in. Of modes only the x bit is kept, as git does.
 * What changes or vanishes meanwhile is told, and the archive is whole all the same.
 */
export async function writeTar(
  pack: Pack,
  entries: Iterable<TarEntry>,
  { progress, signal }: WriteOptions,
): Promise<void> {
  const folders = new Set<string>(["."]);

  async function addFolder(name: string): Promise<void> {
    if (folders.has(name)) return;
    folders.add(name);
    await addFolder(dirname(name));
    await addEntry(pack, { name, type: "directory", mode: 0o755 });
  }

  for (const { name, path } of entries) {
    signal.throwIfAborted();
    try {
      const stats = await lstat(path);
      const header = { name, mtime: new Date(Math.max(0, stats.mtimeMs)) };
      if (stats.isDirectory()) {
        await addFolder(name);
      } else if (stats.isSymbolicLink()) {
        const linkname = await readlink(path);
        await addFolder(dirname(name));
        await addEntry(pack, { ...header, type: "symlink", linkname, mode: 0o777 });
      } else {
        await using file = await open(path, READ);
        await addFolder(dirname(name));
        const mode = stats.mode & 0o100 ? 0o755 : 0o644;
        const isWhole = await addFile(pack, { ...header, mode }, file);
        if (!isWhole) progress(`${name} changed while it was copied.`);
      }
    } catch (error) {
      signal.throwIfAborted();
      if (pack.destroyed) throw error; // whoever read it is gone
      progress(`${name} is left out: ${whyLeftOut(error)}.`);
    }
  }
}

/** Waits for nobody at a pipe, follows no link: what lies there may have been replaced since it was looked at. */
const READ = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const CHUNK_BYTES = 1 << 20;

/** False when the file did not have the size that it said, and what was missing was filled with zeros. */
async function addFile(pack: Pack, header: EntryHeader, file: FileHandle): Promise<boolean> {
  const stats = await file.stat();
  if (!stats.isFile()) throw new NotAFile();
  const { size } = stats;
  if (size <= CHUNK_BYTES) {
    const content = await readChunk(file, size);
    await addEntry(pack, header, content);
    return content.length === size;
  }

  const { promise: ended, resolve, reject } = Promise.withResolvers<void>();
  const entry = pack.entry({ ...header, size }, (error) => (error ? reject(error) : resolve()));
  entry.on("error", reject);
  ended.catch(() => undefined); // asked for when there is something to wait for
  let isWhole = true;
  for (let left = size; left > 0; ) {
    const wanted = Math.min(left, CHUNK_BYTES);
    const chunk = await readChunk(file, wanted).catch(() => Buffer.alloc(0));
    isWhole &&= chunk.length === wanted;
    const whole = Buffer.concat([chunk], wanted);
    left -= wanted;
    if (!entry.write(whole)) await Promise.race([ended, once(entry, "drain")]);
  }
  entry.end(null);
  await ended;
  return isWhole;
}

async function readChunk(file: FileHandle, size: number): Promise<Buffer> {
  const content = Buffer.alloc(size);
  for (let length = 0; length < size; ) {
    const { bytesRead } = await file.read(content, length, size - length);
    if (bytesRead === 0) return content.subarray(0, length);
    length += bytesRead;
  }
  return content;
}

/** Resolves when the archive's reader has taken it. */
async function addEntry(pack: Pack, header: EntryHeader, content?: Buffer): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const entry = pack.entry(header, content ?? "", (error) => (error ? reject(error) : resolve()));
  entry.on("error", reject);
  await promise;
}

class NotAFile extends Error {}

function whyLeftOut(error: unknown): string {
  if (isGone(error)) return "it vanished while it was copied";
  if (error instanceof NotAFile) return "it is not a file any more";
  return `it cannot be read (${isNativeError(error) ? error.message : String(error)})`;
}
