import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { isNativeError } from "node:util/types";
import { type Pack, pack } from "tar-stream";
import type { PackedTree, PackOptions, WorkingTree } from "../../runner/job/working-tree.ts";
import { isInCone } from "./cone.ts";
import { hasGitFolder, listTree } from "./list-tree.ts";
import { makeGitFolder } from "./make-git-folder.ts";
import { type SafeGit, safeGit, withoutFilters } from "./safe-git.ts";
import { type TarEntry, writeTar } from "./write-tar.ts";

export type WorkingTreeOptions = {
  /** Absolute; the top of the repository, or a folder that is none. */
  readonly root: string;
  /** `owner/repo`. */
  readonly repository: string;
  /** The run's commit; zeros where there is none. */
  readonly sha: string;
  /** The run's full ref. */
  readonly ref: string;
  readonly serverUrl: string;
};

/** The working tree in a folder, with the user's uncommitted changes, for jobs to check out. */
export function createWorkingTree(tree: WorkingTreeOptions): WorkingTree {
  return {
    repository: tree.repository,
    standsFor: (ref) => namesOf(tree).includes(ref) || ref.toLowerCase() === tree.sha,
    pack: (options) => packTree(tree, options),
  };
}

function namesOf({ ref }: WorkingTreeOptions): string[] {
  return [ref, ref.replace(/^refs\/(heads|tags)\//, "")];
}

async function packTree(tree: WorkingTreeOptions, options: PackOptions): Promise<PackedTree> {
  const { root } = tree;
  const ref = options.ref ?? tree.ref;
  const commit = /^0+$/.test(tree.sha) ? undefined : tree.sha;
  const isRepository = await hasGitFolder(root);
  const [listed, git] = await Promise.all([
    listTree(root, options),
    isRepository ? readGit(tree, options.signal) : undefined,
  ]);
  const isWanted = (path: string) => isInCone(path, options.folders);
  const files = listed.files.filter(isWanted);
  const emptySubmodules = listed.emptySubmodules.filter(isWanted);

  await using undo = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "berth-tree-"));
  undo.defer(() => rm(folder, { recursive: true, force: true }));
  const gitDir =
    git &&
    (await makeGitFolder(folder, git.plain, {
      ...options,
      ref,
      commit,
      fetchTags: options.fetchTags ?? false,
      remoteUrl: `${tree.serverUrl}/${tree.repository}`,
      filtered: git.filtered,
    }));
  const entries = async () => [
    ...(gitDir === undefined ? [] : await entriesOfGit(gitDir)),
    ...emptySubmodules.map((path) => ({ name: path, path: join(root, path) })),
    ...files.map((file) => ({ name: file, path: join(root, file) })),
  ];
  const tar = startTar(entries, { ...options, cleanUp: undo.move() });
  const changes = git?.changed.size ?? 0;
  return {
    tar,
    commit: commit ?? "",
    ref,
    isRepository,
    files: files.length,
    changes,
    emptySubmodules,
  };
}

type GitFacts = {
  readonly plain: SafeGit;
  /** Paths that differ from HEAD. */
  readonly changed: ReadonlySet<string>;
  /** Unchanged files that a filter made what they are. */
  readonly filtered: readonly string[];
};

async function readGit({ root }: WorkingTreeOptions, signal: AbortSignal): Promise<GitFacts> {
  const place = { gitDir: join(root, ".git"), workTree: root, signal };
  const filters = await withoutFilters(safeGit(place));
  const plain = safeGit({ ...place, config: filters.config });
  const status = ["status", "-z", "--porcelain", "--untracked-files=all", "--no-renames"];
  const lines = (await plain.run([...status, "--ignore-submodules=dirty"])).toString();
  const changed = new Set(lines.split("\0").flatMap((line) => line.slice(3) || []));

  const filtered: string[] = [];
  for (const name of filters.names.filter((name) => /^[\w.-]+$/.test(name))) {
    const listed = await plain.run(["ls-files", "-z", "--", `:(attr:filter=${name})`]);
    filtered.push(...listed.toString().split("\0").filter(Boolean));
  }
  return { plain, changed, filtered: filtered.filter((file) => !changed.has(file)) };
}

async function entriesOfGit(gitDir: string): Promise<TarEntry[]> {
  const listed = await readdir(gitDir, { recursive: true });
  return listed.map((name) => ({ name: `.git/${name}`, path: join(gitDir, name) }));
}

type StartOptions = Pick<PackOptions, "progress" | "signal"> & {
  readonly cleanUp: AsyncDisposable;
};

/** Fills the archive while it is read. Whichever way that ends, what was made for it is gone before the stream says so. */
function startTar(entries: () => Promise<TarEntry[]>, options: StartOptions): Readable {
  const { signal } = options;
  const archive: Pack = pack();
  archive.on("error", () => undefined); // told through what is handed out, once somebody reads that
  const stop = () => archive.destroy(signal.reason);
  signal.addEventListener("abort", stop, { once: true });

  async function fill(): Promise<void> {
    try {
      await using _kept = options.cleanUp;
      await writeTar(archive, await entries(), options);
    } finally {
      signal.removeEventListener("abort", stop);
    }
  }

  const filled = fill().then(
    () => archive.finalize(),
    (error: unknown) => archive.destroy(isNativeError(error) ? error : new Error(String(error))),
  );

  async function* chunks(): AsyncGenerator<Buffer> {
    try {
      yield* archive as AsyncIterable<Buffer>;
    } finally {
      archive.destroy();
      await filled;
    }
  }

  const tar = Readable.from(chunks(), { objectMode: false });
  tar.once("close", () => archive.destroy()); // for when nobody began to read
  return tar;
}
