import { createHash, randomUUID } from "node:crypto";
import {
  appendFile,
  chmod,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  utimes,
  writeFile,
} from "node:fs/promises";
import { dirname, join } from "node:path";
import { folderSize } from "./folder-size.ts";

export type RepositoryKey = {
  readonly server: string;
  readonly owner: string;
  readonly repo: string;
};
/** What is stored, and under which names: a repository of a server's at one commit. */
export type ActionKey = RepositoryKey & { readonly commit: string };

/** Unpacked repositories on this disk. Disposing of it says that this user of it is done with what it found there. */
export type ActionCache = AsyncDisposable & {
  /** The folder of a repository; it stays as it is as long as this cache is open. `undefined` when it is not here. */
  find(key: ActionKey): Promise<string | undefined>;
  /**
   * Lets `fill` fill an empty folder and say which commit that is, and keeps it. Another process's that was faster is kept
   * instead.
   */
  add(repository: RepositoryKey, fill: Fill): Promise<string>;
  /** The commit that a branch or tag stood for when GitHub was last asked. */
  recall(ref: RefKey): Promise<KnownCommit | undefined>;
  remember(ref: RefKey, commit: string): Promise<void>;
};

export type Fill = (folder: string) => Promise<{ readonly commit: string }>;
export type RefKey = RepositoryKey & { readonly ref: string };
export type KnownCommit = { readonly commit: string; readonly asOf: Date };

export type ActionCacheOptions = {
  /** This process, in words that `isAlive` understands later, in another one. */
  readonly owner: string;
  isAlive(owner: string): boolean;
  /** What may lie there, in bytes; beyond it goes what was not used for the longest time. */
  readonly maxBytes?: number | undefined;
};

const MAX_BYTES = 4 * 1024 ** 3;
/** Names that begin with a dot are ours; no server, owner or commit is called so. */
const USERS = ".users";
const DRAFTS = ".drafts";
const REFS = ".refs";

/**
 * Opens the cache below a folder, as `SERVER/OWNER/REPO/COMMIT`. What is there is whole: it was made aside and then renamed. Several
 * processes may have it open.
 */
export function openActionCache(folder: string, options: ActionCacheOptions): ActionCache {
  const { owner, maxBytes = MAX_BYTES } = options;
  const self = `${fileName(owner)}~${randomUUID()}`;
  const userFile = join(folder, USERS, self);
  let sweep: Promise<void> | undefined;

  async function find(key: ActionKey): Promise<string | undefined> {
    const path = pathOf(key);
    // In this order: who removes looks at the users last.
    await makeFolder(dirname(userFile));
    await appendFile(userFile, `${path}\n`, { mode: 0o600 });
    const at = join(folder, path);
    return (await touch(at)) ? at : undefined;
  }

  async function add(repository: RepositoryKey, fill: Fill): Promise<string> {
    sweep ??= removeDeadDrafts(folder, options);
    await sweep;
    const draft = join(folder, DRAFTS, `${self}~${randomUUID()}`);
    await makeFolder(draft);
    let key: ActionKey;
    try {
      const { commit } = await fill(draft);
      key = { ...repository, commit };
      const made = join(folder, pathOf(key));
      await chmod(draft, 0o755); // like what is in it; the folders above keep others out
      await makeFolder(dirname(made));
      await writeFile(sizeFile(made), String(await folderSize(draft)));
      await rename(draft, made).catch((error: unknown) => {
        if (!isTaken(error)) throw error;
      });
    } finally {
      await rm(draft, { recursive: true, force: true });
    }
    const found = await find(key);
    if (found === undefined) throw new Error(`${pathOf(key)} was removed while it was made.`);
    await removeBeyond(folder, { ...options, maxBytes, draft });
    return found;
  }

  return {
    find,
    add,
    recall: (ref) => readRef(join(folder, refFile(ref))),
    async remember(ref, commit) {
      const file = join(folder, refFile(ref));
      const draft = `${file}~${randomUUID()}`;
      await makeFolder(dirname(file));
      await writeFile(draft, commit, { mode: 0o600 });
      await rename(draft, file);
    },
    [Symbol.asyncDispose]: () => rm(userFile, { force: true }),
  };
}

function pathOf({ server, owner, repo, commit }: ActionKey): string {
  return join(repositoryFolder({ server, owner, repo }), fileName(commit));
}

function refFile({ ref, ...repository }: RefKey): string {
  return join(repositoryFolder(repository), REFS, fileName(ref));
}

/** GitHub's names do not tell capitals from small letters. */
function repositoryFolder({ server, owner, repo }: RepositoryKey): string {
  return join(...[server, owner, repo].map((name) => fileName(name.toLowerCase())));
}

/** A name that no disk minds, different for different texts. */
function fileName(text: string): string {
  const name = encodeURIComponent(text).replace(/^\./, "%2E").replaceAll("~", "%7E");
  return name.length <= 200 ? name : createHash("sha256").update(text).digest("hex");
}

async function makeFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
}

const sizeFile = (folder: string) => `${folder}.size`;

/** Notes a use, by the folder's own time; false when there is no such folder. */
async function touch(folder: string): Promise<boolean> {
  const now = new Date();
  return orUndefined(utimes(folder, now, now).then(() => true)).then((done) => done ?? false);
}

async function readRef(file: string): Promise<KnownCommit | undefined> {
  const commit = await orUndefined(readFile(file, "utf8"));
  if (commit === undefined) return undefined;
  const { mtime } = await stat(file);
  return { commit, asOf: mtime };
}

/** Drafts whose makers died before they were done, and what was being removed. */
async function removeDeadDrafts(folder: string, options: ActionCacheOptions): Promise<void> {
  for (const name of await list(join(folder, DRAFTS))) {
    if (options.isAlive(ownerOf(name))) continue;
    await rm(join(folder, DRAFTS, name), { recursive: true, force: true });
  }
}

/** The owner in a name such as `OWNER~…`. */
function ownerOf(name: string): string {
  return decodeURIComponent(name.split("~")[0] ?? "");
}

type Stored = { readonly path: string; readonly usedMs: number; readonly bytes: number };

async function removeBeyond(
  folder: string,
  options: ActionCacheOptions & { readonly maxBytes: number; readonly draft: string },
): Promise<void> {
  const stored = await listStored(folder);
  let excess = stored.reduce((sum, { bytes }) => sum + bytes, 0) - options.maxBytes;
  if (excess <= 0) return;
  for (const { path, bytes } of stored.toSorted((a, b) => a.usedMs - b.usedMs)) {
    if (excess <= 0) return;
    if (await removeUnused(folder, path, options)) excess -= bytes;
  }
}

/** Moved aside first: whoever comes now finds nothing, and whoever came before has told so in its file. */
async function removeUnused(
  folder: string,
  path: string,
  { isAlive, draft }: ActionCacheOptions & { readonly draft: string },
): Promise<boolean> {
  if ((await usedPaths(folder, isAlive)).has(path)) return false;
  const at = join(folder, path);
  const isMine = await orUndefined(rename(at, draft).then(() => true));
  if (isMine === undefined) return false;
  if ((await usedPaths(folder, isAlive)).has(path)) {
    await rename(draft, at).catch((error: unknown) => {
      if (!isTaken(error)) throw error;
    });
    return false;
  }
  await rm(draft, { recursive: true, force: true });
  await rm(sizeFile(at), { force: true });
  return true;
}

/** What living users have found here. Files of dead ones go. */
async function usedPaths(
  folder: string,
  isAlive: ActionCacheOptions["isAlive"],
): Promise<ReadonlySet<string>> {
  const used = new Set<string>();
  for (const name of await list(join(folder, USERS))) {
    const file = join(folder, USERS, name);
    if (!isAlive(ownerOf(name))) {
      await rm(file, { force: true });
      continue;
    }
    const text = (await orUndefined(readFile(file, "utf8"))) ?? "";
    for (const path of text.split("\n")) used.add(path);
  }
  return used;
}

async function listStored(folder: string): Promise<Stored[]> {
  let paths = [""];
  for (const _level of ["server", "owner", "repo"]) {
    const below = paths.map(async (path) =>
      (await list(join(folder, path))).map((name) => join(path, name)),
    );
    paths = (await Promise.all(below)).flat().filter((path) => !/(?:^|\/)\./.test(path));
  }
  const stored = paths.map(async (path) => {
    const names = (await list(join(folder, path))).filter((name) => !/^\.|\.size$/.test(name));
    return Promise.all(names.map((name) => readStored(folder, join(path, name))));
  });
  return (await Promise.all(stored)).flat(2);
}

async function readStored(folder: string, path: string): Promise<Stored[]> {
  const at = join(folder, path);
  const found = await orUndefined(stat(at));
  if (found === undefined) return [];
  const size = await orUndefined(readFile(sizeFile(at), "utf8"));
  const bytes = size === undefined ? await folderSize(at) : Number(size);
  return [{ path, usedMs: found.mtimeMs, bytes }];
}

async function list(folder: string): Promise<string[]> {
  return (await orUndefined(readdir(folder))) ?? [];
}

/** What is gone, another process has removed. */
async function orUndefined<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw error;
  }
}

function isTaken(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === "ENOTEMPTY" || code === "EEXIST";
}
