import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { lstat, readdir, readlink } from "node:fs/promises";
import { join, posix } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type Docker from "dockerode";
import { extract, type Header, type Pack } from "tar-stream";
import { BerthError } from "../../runner/errors.ts";
import { readDockerIgnore } from "./docker-ignore.ts";

/** A file, folder or link of a build's context; a file's `body` has to be read before the next entry is asked for. */
export type ContextEntry = {
  /** Relative to the context, without a slash at either end. */
  readonly name: string;
  readonly type: "file" | "directory" | "symlink" | "link";
  readonly mode: number;
  readonly mtime: Date;
  readonly linkname?: string;
  readonly sizeBytes: number;
  readonly body?: Readable;
};

/** The entries of a folder on this machine. What is neither file, folder nor link is left out. */
export async function* readFolder(folder: string, below = ""): AsyncGenerator<ContextEntry> {
  const names = await readdir(join(folder, below));
  for (const child of names.toSorted()) {
    const name = posix.join(below, child);
    const path = join(folder, name);
    const stats = await lstat(path);
    const entry = { name, mode: stats.mode & 0o7777, mtime: stats.mtime, sizeBytes: 0 };
    if (stats.isSymbolicLink()) {
      yield { ...entry, type: "symlink", linkname: await readlink(path) };
    } else if (stats.isDirectory()) {
      yield { ...entry, type: "directory" };
      yield* readFolder(folder, name);
    } else if (stats.isFile()) {
      const { size } = stats;
      const body = size === 0 ? Readable.from([]) : createReadStream(path, { end: size - 1 });
      yield { ...entry, type: "file", sizeBytes: size, body };
    }
  }
}

/** The entries of a folder in a container, as the engine streams them. */
export async function* readContainerFolder(
  container: Docker.Container,
  folder: string,
  signal: AbortSignal,
): AsyncGenerator<ContextEntry> {
  // With the dot a link to a folder is followed, within the container.
  const archive = (await container.getArchive({
    path: `${folder}/.`,
    abortSignal: signal,
  })) as Readable;
  const entries = archive.pipe(extract());
  archive.on("error", (error: Error) => entries.destroy(error));
  try {
    for await (const entry of entries) {
      const known = knownEntry(entry.header);
      if (known === undefined) entry.resume();
      else yield { ...known, body: Readable.from(entry, { objectMode: false }) };
    }
  } finally {
    // The engine holds the container until the archive is read or given up: nobody could stop or remove it.
    archive.destroy();
  }
}

function knownEntry(header: Header): ContextEntry | undefined {
  const { name, type, mode = 0, mtime = new Date(0), linkname, size = 0 } = header;
  const relative = withoutDot(name);
  const isKnown = type === "file" || type === "directory" || type === "symlink" || type === "link";
  if (relative === "" || !isKnown) return undefined;
  const target = type === "link" ? withoutDot(linkname ?? "") : linkname;
  return {
    name: relative,
    type,
    mode: mode & 0o7777,
    mtime,
    ...(target && { linkname: target }),
    sizeBytes: size,
  };
}

function withoutDot(name: string): string {
  return name.replace(/^\.?\/+|\/+$/g, "").replace(/^\.$/, "");
}

/** What is known of a context before it is sent. */
export type Context = {
  readonly dockerfile: string | undefined;
  /** Of what will be sent; the same content has the same one. */
  readonly hash: string;
  /** Whether an entry is sent, after `.dockerignore`. */
  isSent(name: string): boolean;
};

const TEXT_LIMIT_BYTES = 1_000_000;

/**
 * What is taken of a folder before it is refused: a job may put anything there, files with holes of any size too. `bytes` counts the files'
 * content, `names` the characters of all names.
 */
const LIMITS = { bytes: 16 * 2 ** 30, entries: 500_000, names: 64 * 2 ** 20 };

/**
 * Reads a context to its end without sending it.
 *
 * @throws {BerthError} `ACTION_BUILD_FAILED` for one without end, or with a `.dockerignore` that takes too long.
 */
export async function examineContext(
  entries: AsyncIterable<ContextEntry>,
  dockerfile: string,
  limits = LIMITS,
): Promise<Context> {
  // The first of these that is there decides, as in Docker's command line.
  const ignoreFiles = [`${dockerfile}.dockerignore`, ".dockerignore"];
  const texts = new Map<string, string>();
  const seen: { readonly name: string; readonly digest: string }[] = [];
  for await (const entry of limited(entries, limits)) {
    const isText = entry.name === dockerfile || ignoreFiles.includes(entry.name);
    const pieces: Buffer[] = [];
    const digest = await digestOf(entry, isText ? pieces : undefined);
    if (isText) texts.set(entry.name, Buffer.concat(pieces).toString());
    seen.push({ name: entry.name, digest });
  }
  const ignored = readDockerIgnore(
    ignoreFiles.map((name) => texts.get(name)).find((text) => text !== undefined) ?? "",
  );
  // The engine itself needs these, whatever the file says.
  const needed = new Set([dockerfile, ".dockerignore"]);
  const isSent = (name: string) => needed.has(name) || !ignored.ignores(name);
  const digests = seen.filter(({ name }) => isSent(name)).map(({ digest }) => digest);
  return {
    dockerfile: texts.get(dockerfile),
    hash: hashOf(dockerfile, digests.toSorted()),
    isSent,
  };
}

async function* limited(
  entries: AsyncIterable<ContextEntry>,
  limits: typeof LIMITS,
): AsyncGenerator<ContextEntry> {
  const left = { ...limits };
  for await (const entry of entries) {
    left.entries -= 1;
    left.names -= entry.name.length + (entry.linkname?.length ?? 0);
    left.bytes -= entry.sizeBytes;
    if (left.entries < 0 || left.names < 0) throw tooLarge(`more than ${limits.entries} files`);
    if (left.bytes < 0) throw tooLarge(`more than ${limits.bytes / 2 ** 30} GB`);
    yield entry;
  }
}

function tooLarge(what: string): BerthError {
  return new BerthError("ACTION_BUILD_FAILED", {
    message: `The folder of the docker action has ${what}: it is not sent to the engine.`,
    remedy: "Put the Dockerfile and what it needs into a folder of their own.",
  });
}

/**
 * Writes a context into an archive and gives the hash of what was written: another process may have changed the files since they were examined, and
 * nothing may ever go by the name of what it is not.
 */
export async function writeContext(
  archive: Pack,
  entries: AsyncIterable<ContextEntry>,
  { dockerfile, isSent }: { readonly dockerfile: string; isSent(name: string): boolean },
): Promise<string> {
  const digests: string[] = [];
  for await (const entry of limited(entries, LIMITS)) {
    if (isSent(entry.name)) digests.push(await writeEntry(archive, entry));
    else entry.body?.resume();
  }
  archive.finalize();
  return hashOf(dockerfile, digests.toSorted());
}

async function writeEntry(archive: Pack, entry: ContextEntry): Promise<string> {
  const { name, type, mode, mtime, linkname, sizeBytes, body } = entry;
  const header = { name, type, mode, mtime, uid: 0, gid: 0, ...(linkname && { linkname }) };
  if (type !== "file" || body === undefined) {
    archive.entry(header);
    return await digestOf(entry);
  }
  const hash = createHash("sha256");
  await pipeline(
    body,
    async function* (chunks: AsyncIterable<Buffer>) {
      for await (const chunk of chunks) {
        hash.update(chunk);
        yield chunk;
      }
    },
    archive.entry({ ...header, size: sizeBytes }),
  );
  return describe(entry, hash.digest("hex"));
}

async function digestOf(entry: ContextEntry, pieces?: Buffer[]): Promise<string> {
  const hash = createHash("sha256");
  let bytes = 0;
  for await (const chunk of entry.body ?? []) {
    hash.update(chunk);
    bytes += chunk.length;
    if (bytes <= TEXT_LIMIT_BYTES) pieces?.push(chunk);
  }
  return describe(entry, entry.type === "file" ? hash.digest("hex") : "");
}

function describe({ name, type, mode, linkname = "" }: ContextEntry, content: string): string {
  return hashOf(name, [type, String(mode), linkname, content]);
}

function hashOf(name: string, parts: readonly string[]): string {
  return createHash("sha256")
    .update(JSON.stringify([name, ...parts]))
    .digest("hex");
}
