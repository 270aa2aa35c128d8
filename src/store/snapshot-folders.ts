import { createHash } from "node:crypto";
import { chmod, mkdir, open, readdir, readlink, symlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { BerthError, textOf } from "../../runner/errors.ts";
import { leadsOut } from "./leads-out.ts";

/** A folder, and where it goes: a path without a slash at either end, `""` for the top. */
export type SnapshotPart = { readonly folder: string; readonly path: string };

/**
 * A hash of everything in some folders put together, 40 hex digits: names, content, executable bits and symbolic links, whatever git
 * ignores, but for git's own folder. With `target`, an empty folder, all of it is copied there; the hash is that of the copy. A part
 * replaces what another has at its path.
 *
 * @throws {BerthError} `ACTION_FETCH_FAILED` for a link that leads out, a file that cannot be read or is none.
 */
export async function snapshotFolders(
  parts: readonly SnapshotPart[],
  { target, signal }: { readonly target?: string; readonly signal: AbortSignal },
): Promise<string> {
  const entries: Entry[] = [];
  for (const part of parts) {
    const others = parts.filter((other) => other !== part).map(({ path }) => path);
    entries.push(...(await readEntries(part, others)));
  }
  entries.sort((a, b) => (a.path < b.path ? -1 : 1));
  refuseLinksOut(entries);

  const hash = createHash("sha256");
  for (const entry of entries) {
    signal.throwIfAborted();
    const to = target === undefined ? undefined : join(target, entry.path);
    if (to !== undefined) await mkdir(dirname(to), { recursive: true });
    hash.update(`${JSON.stringify([entry.path, entry.kind, ...(await takeEntry(entry, to))])}\n`);
  }
  return hash.digest("hex").slice(0, 40);
}

type Entry = { readonly path: string; readonly source: string } & (
  | { readonly kind: "file" | "folder" | "other" }
  | { readonly kind: "link"; readonly target: string }
);

async function readEntries(
  { folder, path: top }: SnapshotPart,
  others: readonly string[],
): Promise<Entry[]> {
  const found = await readdir(folder, { recursive: true, withFileTypes: true });
  const entries = found.map(async (entry): Promise<Entry[]> => {
    const source = join(entry.parentPath, entry.name);
    const inside = source.slice(join(folder, "/").length);
    const path = join(top, inside);
    const isGits = inside === ".git" || inside.startsWith(".git/");
    const isReplaced = others.some((other) => other.length > top.length && isWithin(path, other));
    if (isGits || isReplaced) return [];
    if (entry.isSymbolicLink()) {
      return [{ path, source, kind: "link", target: await readlink(source) }];
    }
    const kind = entry.isFile() ? "file" : entry.isDirectory() ? "folder" : "other";
    return [{ path, source, kind }];
  });
  return (await Promise.all(entries)).flat();
}

function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`);
}

function refuseLinksOut(entries: readonly Entry[]): void {
  const links = new Map(
    entries.flatMap((entry) => (entry.kind === "link" ? [[entry.path, entry.target]] : [])),
  );
  for (const { path, source, kind } of entries) {
    if (kind !== "link" || !leadsOut(path, links)) continue;
    throw new BerthError("ACTION_FETCH_FAILED", {
      message: `${source} is a link that leads out of the action's folder, to ${links.get(path)}.`,
      remedy: "Put a copy of what it means in its place.",
    });
  }
}

/** What of an entry counts, besides its name. */
async function takeEntry(entry: Entry, to: string | undefined): Promise<unknown[]> {
  switch (entry.kind) {
    case "file":
      return takeFile(entry.source, to);
    case "folder":
      if (to !== undefined) {
        await mkdir(to, { recursive: true });
        await chmod(to, 0o755);
      }
      return [];
    case "link":
      if (to !== undefined) await symlink(entry.target, to);
      return [entry.target];
    case "other":
      throw new BerthError("ACTION_FETCH_FAILED", {
        message: `${entry.source} is neither file, folder nor link, and no action can have that.`,
        remedy: "Remove it.",
      });
    default:
      return entry satisfies never;
  }
}

async function takeFile(source: string, to: string | undefined): Promise<unknown[]> {
  await using from = await openForReading(source);
  const isExecutable = ((await from.stat()).mode & 0o111) !== 0;
  const mode = isExecutable ? 0o755 : 0o644;
  await using copy = to === undefined ? undefined : await open(to, "wx", mode);
  const hash = createHash("sha256");
  for await (const chunk of from.createReadStream({ autoClose: false })) {
    hash.update(chunk);
    await copy?.appendFile(chunk);
  }
  await copy?.chmod(mode);
  return [isExecutable, hash.digest("hex")];
}

async function openForReading(file: string) {
  try {
    return await open(file, "r");
  } catch (cause) {
    throw new BerthError("ACTION_FETCH_FAILED", {
      message: `${file} cannot be read, and it belongs to an action: ${textOf(cause)}.`,
      remedy: "Let this user read it.",
      cause,
    });
  }
}
