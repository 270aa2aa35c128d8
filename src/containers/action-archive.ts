import { createReadStream } from "node:fs";
import { lstat, readdir, readFile, readlink } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { type Pack, pack } from "tar-stream";
import type { TarEntry } from "./tar-entry.ts";

/** Where an action's files lie, and where they go. */
export type ActionFiles = {
  /** Absolute. */
  readonly folder: string;
  /** Relative to where the archive is unpacked; `""` for right there. */
  readonly to: string;
};

/** Smaller files are read in one go, which is several times faster than a stream for each. */
const SMALL_BYTES = 1_000_000;

/**
 * A tar of actions' files. They belong to root; everybody may read them, and run what may be run; links stay links. What is neither
 * file, folder nor link is left out.
 */
export function actionArchive(actions: readonly ActionFiles[]): Readable {
  const archive = pack();
  void writeArchive(archive, actions).catch((error: Error) => archive.destroy(error));
  return Readable.from(archive, { objectMode: false });
}

async function writeArchive(archive: Pack, actions: readonly ActionFiles[]): Promise<void> {
  for (const { folder, to } of actions) {
    for (const parent of parentsOf(to)) await addEntry(archive, { name: parent, ...FOLDER });
    await writeFolder(archive, folder, to);
  }
  archive.finalize();
}

const FOLDER = { type: "directory", mode: 0o755 } as const;

/** `a/b/c` is in `a/`, `a/b/` and is `a/b/c/`. */
function parentsOf(path: string): string[] {
  const parts = path.split("/").filter((part) => part !== "");
  return parts.map((_, index) => `${parts.slice(0, index + 1).join("/")}/`);
}

async function writeFolder(archive: Pack, folder: string, to: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    const entry = to === "" ? name : `${to}/${name}`;
    const facts = await lstat(path);
    const { mtime } = facts;
    if (facts.isDirectory()) {
      await addEntry(archive, { name: `${entry}/`, mtime, ...FOLDER });
      await writeFolder(archive, path, entry);
    } else if (facts.isSymbolicLink()) {
      const linkname = await readlink(path);
      await addEntry(archive, { name: entry, mtime, type: "symlink", linkname });
    } else if (facts.isFile()) {
      const mode = (facts.mode & 0o111) === 0 ? 0o644 : 0o755;
      await addFile(archive, { name: entry, mtime, mode, size: facts.size }, path);
    }
  }
}

async function addFile(archive: Pack, header: TarEntry & { size: number }, path: string) {
  if (header.size < SMALL_BYTES) return addEntry(archive, header, await readFile(path));
  return pipeline(createReadStream(path), archive.entry(header));
}

/** Done when the archive's reader has taken it. */
function addEntry(archive: Pack, header: TarEntry, content?: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = (error?: Error | null) => (error ? reject(error) : resolve());
    if (content === undefined) archive.entry(header, done);
    else archive.entry(header, content, done);
  });
}
