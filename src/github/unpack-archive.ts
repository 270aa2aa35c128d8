import { chmod, link, mkdir, open, symlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { type Extract, extract, type Header } from "tar-stream";
import { BerthError, textOf } from "../../runner/errors.ts";
import { leadsOut } from "../store/leads-out.ts";

export type UnpackLimits = {
  /** Of what comes out of the archive. */
  readonly maxBytes: number;
  readonly maxEntries: number;
};

const LIMITS: UnpackLimits = { maxBytes: 2 * 1024 ** 3, maxEntries: 200_000 };
const MAX_PATH_LENGTH = 4000;

export type UnpackOptions = {
  /** Whose archive it is, for errors: `owner/repo at COMMIT`. */
  readonly name: string;
  readonly signal: AbortSignal;
  readonly limits?: UnpackLimits | undefined;
};

/**
 * Unpacks a gzipped tar, as GitHub makes them, into an empty folder, without the one folder that everything in it lies in.
 * Of the modes only the executable bit is kept.
 *
 * @throws {BerthError} `ACTION_FETCH_FAILED` for an archive that wants out of its folder or is too large, and when the disk does not
 * take it. Any other error means that it arrived damaged.
 */
export async function unpackArchive(
  archive: Readable,
  folder: string,
  { name, signal, limits = LIMITS }: UnpackOptions,
): Promise<void> {
  const draft: Draft = { name, folder, limits, kinds: new Map(), links: [], symlinks: new Map() };
  const entries = extract();
  const [read, written] = await Promise.allSettled([
    pipeline(archive, createGunzip(), countBytes(draft), entries, { signal }),
    writeEntries(entries, draft),
  ]);
  signal.throwIfAborted();
  // Each side breaks the other one off; the one that knows why is the one with words.
  const failures = [read, written].flatMap((one) => (one.status === "rejected" ? one.reason : []));
  const failure = failures.find((one) => one instanceof BerthError) ?? failures[0];
  if (failure !== undefined) throw failure;
  if (draft.top === undefined) throw new Error("it is empty");
  await addLinks(draft);
}

type Entry = Extract extends AsyncIterable<infer E> ? E : never;

type Draft = {
  readonly name: string;
  readonly folder: string;
  readonly limits: UnpackLimits;
  /** The folder that everything lies in. */
  top?: string | undefined;
  readonly kinds: Map<string, "file" | "folder" | "link">;
  readonly links: { readonly path: string; readonly target: string }[];
  readonly symlinks: Map<string, string>;
};

function countBytes(draft: Draft): Transform {
  let bytes = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      const isTooMuch = bytes > draft.limits.maxBytes;
      if (isTooMuch) done(refused(draft, `is larger than ${inWords(draft.limits.maxBytes)}`));
      else done(null, chunk);
    },
  });
}

async function writeEntries(entries: AsyncIterable<Entry>, draft: Draft): Promise<void> {
  for await (const entry of entries) {
    await writeEntry(entry, draft);
    entry.resume();
  }
}

async function writeEntry(entry: Entry, draft: Draft): Promise<void> {
  const { header } = entry;
  const path = pathInside(header.name, draft);
  if (path === "" && header.type === "directory") return;
  if (path === "") throw refused(draft, `has ${quote(header.name)} beside its top folder`);
  if (draft.kinds.size >= draft.limits.maxEntries) {
    throw refused(draft, `has more than ${draft.limits.maxEntries} entries`);
  }

  switch (header.type) {
    case "directory":
      return makeFolders(path, draft);
    case "file":
    case "contiguous-file":
      await claim(path, "file", draft);
      return writeFile(entry, join(draft.folder, path));
    case "symlink":
      await claim(path, "link", draft);
      draft.symlinks.set(path, linkOf(header));
      return;
    case "link": {
      const target = pathInside(linkOf(header), draft);
      if (draft.kinds.get(target) !== "file") {
        throw refused(draft, `has ${quote(path)} as a link to ${quote(target)}, no file before it`);
      }
      await claim(path, "file", draft);
      draft.links.push({ path, target });
      return;
    }
    default:
      throw refused(draft, `has ${quote(path)}, which is ${kindInWords(header.type)}`);
  }
}

/** The path below the top folder, `""` for that one itself. */
function pathInside(name: string, draft: Draft): string {
  const parts = name.split("/").filter((part) => part !== "" && part !== ".");
  if (name.startsWith("/") || parts.includes("..") || name.length > MAX_PATH_LENGTH) {
    throw refused(draft, `has the path ${quote(name)}, which leads out of its folder`);
  }
  const [top, ...path] = parts;
  draft.top ??= top;
  if (top !== draft.top) {
    throw refused(draft, `has ${quote(name)} beside its top folder ${quote(draft.top ?? "")}`);
  }
  return path.join("/");
}

/** Nothing is written twice, nor below anything that is not a folder. */
async function claim(path: string, kind: "file" | "link", draft: Draft): Promise<void> {
  if (draft.kinds.has(path)) throw refused(draft, `has ${quote(path)} twice`);
  const parent = dirname(path);
  if (parent !== ".") await makeFolders(parent, draft);
  draft.kinds.set(path, kind);
}

async function makeFolders(path: string, draft: Draft): Promise<void> {
  const kind = draft.kinds.get(path);
  if (kind === "folder") return;
  if (kind === "link") throw refused(draft, `has a path through the link ${quote(path)}`);
  if (kind === "file") throw refused(draft, `has a path through the file ${quote(path)}`);
  const parent = dirname(path);
  if (parent !== ".") await makeFolders(parent, draft);
  draft.kinds.set(path, "folder");
  const folder = join(draft.folder, path);
  await onDisk(mkdir(folder));
  await onDisk(chmod(folder, 0o755)); // whatever this process's umask is: steps of other users read it
}

async function writeFile(entry: Entry, path: string): Promise<void> {
  const mode = isExecutable(entry.header) ? 0o755 : 0o644;
  await using file = await onDisk(open(path, "wx", mode));
  for await (const chunk of entry) await onDisk(file.appendFile(chunk as Uint8Array));
  await onDisk(file.chmod(mode));
}

/** An empty target comes as `null`, whatever the types say. */
function linkOf({ linkname }: { linkname: string | null }): string {
  return linkname ?? "";
}

function isExecutable({ mode }: Header): boolean {
  return (mode & 0o111) !== 0;
}

/** Last of all, so that nothing was ever written through one, whatever the disk holds for the same name. */
async function addLinks(draft: Draft): Promise<void> {
  for (const [path, target] of draft.symlinks) {
    if (target === "" || leadsOut(path, draft.symlinks)) {
      throw refused(draft, `has the link ${quote(path)}, which leads out to ${quote(target)}`);
    }
  }
  const at = (path: string) => join(draft.folder, path);
  for (const { path, target } of draft.links) await onDisk(link(at(target), at(path)));
  for (const [path, target] of draft.symlinks) await onDisk(symlink(target, at(path)));
}

async function onDisk<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    throw new BerthError("ACTION_FETCH_FAILED", {
      message: `An action could not be written to the disk: ${textOf(cause)}.`,
      remedy: "Look whether the disk is full and the folder may be written to.",
      cause,
    });
  }
}

function refused({ name }: Draft, why: string): BerthError {
  return new BerthError("ACTION_FETCH_FAILED", {
    message: `The archive of ${name} is refused: it ${why}.`,
    remedy:
      "Nothing of it was used. Ask who keeps that repository, or take the action from a folder with --local-action.",
  });
}

function kindInWords(type: Header["type"]): string {
  switch (type) {
    case "character-device":
    case "block-device":
      return "a device";
    case "fifo":
      return "a pipe";
    default:
      return "neither file, folder nor link";
  }
}

/** Names are quoted for terminals and logs: no line ends, no escape sequences, no end in sight. */
function quote(name: string): string {
  const text = JSON.stringify(name.slice(0, 200));
  return `'${text.slice(1, -1)}'`;
}

function inWords(bytes: number): string {
  const gigabytes = bytes / 1024 ** 3;
  return gigabytes >= 1 ? `${gigabytes} GB` : `${bytes} bytes`;
}
