import { isUtf8 } from "node:buffer";
import type { Dirent, Stats } from "node:fs";
import { lstat, readdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { isNativeError } from "node:util/types";
import { BerthError } from "../../runner/errors.ts";
import { type SafeGit, safeGit } from "./safe-git.ts";

export type ListedTree = {
  /** Files and symbolic links, relative to the root. */
  readonly files: readonly string[];
  /** Submodules that were never fetched: folders without anything in them. */
  readonly emptySubmodules: readonly string[];
};

type ListOptions = { progress(line: string): void; readonly signal: AbortSignal };
type Found = { files: string[]; emptySubmodules: string[] };

/**
 * Lists what belongs to the repository in a folder, as it is now: what git tracks or does not ignore, in nested repositories and
 * submodules as well. Without a repository it is all there is, but for `.git`.
 *
 * @throws {BerthError} `WORKING_TREE_UNREADABLE`
 */
export async function listTree(root: string, options: ListOptions): Promise<ListedTree> {
  const found: Found = { files: [], emptySubmodules: [] };
  if (await hasGitFolder(root)) await listRepository(root, "", found, options);
  else await listFolder(root, "", found, options);
  return found;
}

export async function hasGitFolder(folder: string): Promise<boolean> {
  const git = await statOf(join(folder, ".git"));
  return git !== undefined;
}

async function listRepository(
  root: string,
  prefix: string,
  found: Found,
  options: ListOptions,
): Promise<void> {
  const folder = join(root, prefix);
  const git = safeGit({
    gitDir: join(folder, ".git"),
    workTree: folder,
    signal: options.signal,
  });
  const names = await namesIn(git, prefix, options);
  const isReal = realFolders(folder);
  const outside: string[] = [];

  await inChunks(names, async (name): Promise<(() => Promise<void>) | undefined> => {
    const path = join(prefix, name);
    if (!isInside(name) || !(await isReal(dirname(name)))) return undefined;
    const stats = await statOf(join(root, path));
    if (stats === undefined) return undefined; // tracked, and deleted in the tree
    if (stats.isDirectory()) return () => listNested(root, path, found, options);
    if (!stats.isFile() && !stats.isSymbolicLink()) {
      outside.push(path);
      return undefined;
    }
    return async () => void found.files.push(path);
  });
  for (const path of outside) options.progress(`${path} is left out: it is not a file or a link.`);
}

async function namesIn(git: SafeGit, prefix: string, options: ListOptions): Promise<string[]> {
  const args = ["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate"];
  const names: string[] = [];
  for (const name of splitAtNul(await git.run(args))) {
    if (isUtf8(name)) names.push(name.toString());
    else options.progress(`${join(prefix, name.toString())} is left out: its name is not UTF-8.`);
  }
  return names;
}

/** A folder that git names as one entry: a submodule or a repository that lies within this one. */
async function listNested(
  root: string,
  path: string,
  found: Found,
  options: ListOptions,
): Promise<void> {
  if (!(await hasGitFolder(join(root, path)))) {
    const content = await readdir(join(root, path));
    if (content.length === 0) found.emptySubmodules.push(path);
    else await listFolder(root, path, found, options);
    return;
  }
  try {
    await listRepository(root, path, found, options);
  } catch (error) {
    options.signal.throwIfAborted();
    if (!(error instanceof BerthError)) throw error;
    options.progress(`${path} looks like a repository but is none for git; all of it is taken.`);
    await listFolder(root, path, found, options);
  }
}

async function listFolder(
  root: string,
  prefix: string,
  found: Found,
  options: ListOptions,
): Promise<void> {
  options.signal.throwIfAborted();
  const entries: Dirent<Buffer>[] = await readdir(join(root, prefix), {
    withFileTypes: true,
    encoding: "buffer",
  });
  for (const entry of entries) {
    const name = entry.name.toString();
    const path = join(prefix, name);
    if (name === ".git") continue;
    if (!isUtf8(entry.name)) options.progress(`${path} is left out: its name is not UTF-8.`);
    else if (entry.isDirectory()) await listBelow(root, path, found, options);
    else if (entry.isFile() || entry.isSymbolicLink()) found.files.push(path);
    else options.progress(`${path} is left out: it is not a file or a link.`);
  }
}

async function listBelow(
  root: string,
  path: string,
  found: Found,
  options: ListOptions,
): Promise<void> {
  if (await hasGitFolder(join(root, path))) await listNested(root, path, found, options);
  else await listFolder(root, path, found, options);
}

/** An index can be made to hold any name. */
function isInside(name: string): boolean {
  const parts = name.replace(/\/$/, "").split("/");
  return parts.every((part) => part !== "" && part !== ".." && part.toLowerCase() !== ".git");
}

/**
 * Whether a folder is one all the way down: behind a link that took a folder's place there may be files that are not the
 * repository's, and git calls those that were there deleted.
 */
function realFolders(root: string): (folder: string) => Promise<boolean> {
  const known = new Map<string, Promise<boolean>>([[".", Promise.resolve(true)]]);

  function isReal(folder: string): Promise<boolean> {
    const answer = known.get(folder) ?? look(folder);
    known.set(folder, answer);
    return answer;
  }

  async function look(folder: string): Promise<boolean> {
    if (!(await isReal(dirname(folder)))) return false;
    const stats = await statOf(join(root, folder));
    return stats?.isDirectory() ?? false;
  }

  return isReal;
}

const AT_ONCE = 64;

/** Looks at several names at once, and does what follows from them one after another, in their order. */
async function inChunks(
  names: readonly string[],
  look: (name: string) => Promise<(() => Promise<void>) | undefined>,
): Promise<void> {
  for (let at = 0; at < names.length; at += AT_ONCE) {
    const followUps = await Promise.all(names.slice(at, at + AT_ONCE).map(look));
    for (const followUp of followUps) await followUp?.();
  }
}

function* splitAtNul(text: Buffer): Iterable<Buffer> {
  for (let start = 0; start < text.length; ) {
    const end = text.indexOf(0, start);
    yield text.subarray(start, end);
    start = end + 1;
  }
}

async function statOf(path: string): Promise<Stats | undefined> {
  try {
    return await lstat(path);
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

export function isGone(error: unknown): boolean {
  return (
    isNativeError(error) && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR")
  );
}
