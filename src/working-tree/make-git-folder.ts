import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { conePatterns, isInCone } from "./cone.ts";
import { isGone } from "./list-tree.ts";
import { type SafeGit, safeGit } from "./safe-git.ts";

export type GitFolderOptions = {
  /** What HEAD shall be; `undefined` where there is no commit. */
  readonly commit: string | undefined;
  /** The full ref that is checked out, or `""` for the commit alone. */
  readonly ref: string;
  /** 0 for all history of all branches. */
  readonly fetchDepth: number;
  readonly fetchTags: boolean;
  readonly remoteUrl: string;
  /** Folders of a sparse checkout. */
  readonly folders?: readonly string[] | undefined;
  /** Files that are the user's git's to compare with what is committed: those of a filter such as Git LFS, unchanged. */
  readonly filtered: readonly string[];
  progress(line: string): void;
  readonly signal: AbortSignal;
};

/**
 * Makes the `.git` folder that `actions/checkout` would have made of a repository, in an empty folder, with an index that says what HEAD
 * holds. The repository's objects are read in place, through a repository of our own: its configuration plays no part.
 *
 * @returns The new `.git` folder.
 * @throws {BerthError} `WORKING_TREE_UNREADABLE`
 */
export async function makeGitFolder(
  folder: string,
  source: SafeGit,
  options: GitFolderOptions,
): Promise<string> {
  const { commit, ref, signal } = options;
  const gitDir = join(folder, "tree", ".git");
  await mkdir(join(folder, "tree"));
  const job = safeGit({ gitDir, workTree: join(folder, "tree"), isPlain: true, signal });
  const format = (await source.ask("rev-parse", "--show-object-format")) ?? "sha1";
  await job.run(init(format));

  if (commit !== undefined) {
    const bridge = join(folder, "bridge");
    await makeBridge(bridge, source, { ...options, format, commit });
    await fetchFrom(bridge, job, options);
    await rm(bridge, { recursive: true, force: true });
  }
  await setHead(job, { commit, ref });
  await configure(job, source, options);
  if (commit !== undefined) await makeIndex(job, gitDir, source, { ...options, commit });
  await rm(join(gitDir, "FETCH_HEAD"), { force: true });
  return gitDir;
}

const HEAD_TO_FETCH = "refs/berth/head";

/** A bare repository with the source's objects, and as refs what GitHub would have. */
async function makeBridge(
  folder: string,
  source: SafeGit,
  options: GitFolderOptions & { readonly format: string; readonly commit: string },
): Promise<void> {
  const { format, commit, ref, signal } = options;
  await mkdir(folder);
  const git = safeGit({ gitDir: folder, isPlain: true, signal });
  await git.run([...init(format), "--bare"]);
  for (const [key, value] of QUICK_PACKING) await git.run(["config", key, value]);
  const root = (await source.run(["rev-parse", "--show-toplevel"])).toString().replace(/\n$/, "");
  const pathOf = async (name: string) =>
    resolve(
      root,
      (await source.run(["rev-parse", "--git-path", name])).toString().replace(/\n$/, ""),
    );
  await writeFile(join(folder, "objects/info/alternates"), `${quoted(await pathOf("objects"))}\n`);

  const shallow = await readFile(await pathOf("shallow")).catch((error: unknown) => {
    if (isGone(error)) return undefined;
    throw error;
  });
  if (shallow) await writeFile(join(folder, "shallow"), shallow);
  if (shallow && options.fetchDepth === 0)
    options.progress("The repository is shallow here, and so its history in the job is not whole.");

  const refs = await refsAsOnGitHub(source);
  refs.set(HEAD_TO_FETCH, commit);
  if (ref.startsWith("refs/heads/")) refs.set(ref, commit);
  const lines = [...refs].map(([name, id]) => `${id} ${name}\n`);
  await writeFile(join(folder, "packed-refs"), lines.join(""));
}

/** The pack is for one job: what was compressed before is taken as it is, and nobody waits for more. */
const QUICK_PACKING = [
  ["pack.window", "0"],
  ["pack.compression", "1"],
] as const;

/** The branches of the remote, or else those that are only here, and all tags. */
async function refsAsOnGitHub(source: SafeGit): Promise<Map<string, string>> {
  const format = "--format=%(objectname) %(symref) %(refname)";
  const listed = await source.ask("for-each-ref", format, "refs/heads", REMOTE, "refs/tags");
  const refs = (listed ?? "").split("\n").flatMap((line) => {
    const [id = "", symref, name = ""] = line.split(" ");
    return id === "" || symref ? [] : [[name, id] as const];
  });
  const remote = refs
    .filter(([name]) => name.startsWith(REMOTE))
    .map(([name, id]) => [`refs/heads/${name.slice(REMOTE.length)}`, id] as const);
  return new Map([...refs.filter(([name]) => !name.startsWith(REMOTE)), ...remote]);
}

const REMOTE = "refs/remotes/origin/";

/** Which refs end where is as in actions/checkout (src/ref-helper.ts, v4). */
async function fetchFrom(bridge: string, job: SafeGit, options: GitFolderOptions): Promise<void> {
  const { ref, fetchDepth, fetchTags } = options;
  const branch = after("refs/heads/", ref);
  const pull = after("refs/pull/", ref);
  const tag = after("refs/tags/", ref);
  const isAll = fetchDepth === 0;
  const refspecs = [
    HEAD_TO_FETCH,
    ...(isAll ? ["+refs/heads/*:refs/remotes/origin/*"] : []),
    ...(isAll || fetchTags ? ["+refs/tags/*:refs/tags/*"] : []),
    ...(branch !== undefined && !isAll ? [`+${HEAD_TO_FETCH}:${REMOTE}${branch}`] : []),
    ...(pull !== undefined ? [`+${HEAD_TO_FETCH}:refs/remotes/pull/${pull}`] : []),
    // Where the tag is not there it is the event that speaks of it.
    ...(tag !== undefined && !isAll && !fetchTags ? [`+refs/tags/${tag}*:refs/tags/${tag}*`] : []),
  ];
  const depth = isAll ? ["--update-shallow"] : [`--depth=${fetchDepth}`];
  const quick = ["-c", "fetch.unpackLimit=1", "-c", "fetch.writeCommitGraph=false"];
  await job.run([...quick, "fetch", "--quiet", "--no-tags", ...depth, bridge, ...refspecs]);
}

async function setHead(
  job: SafeGit,
  { commit, ref }: Pick<GitFolderOptions, "commit" | "ref">,
): Promise<void> {
  const branch = after("refs/heads/", ref);
  if (branch === undefined) {
    if (commit !== undefined) await job.run(["update-ref", "--no-deref", "HEAD", commit]);
    return;
  }
  await job.run(["symbolic-ref", "HEAD", ref]);
  if (commit === undefined) return;
  await job.run(["update-ref", ref, commit]);
  await job.run(["config", `branch.${branch}.remote`, "origin"]);
  await job.run(["config", `branch.${branch}.merge`, ref]);
}

async function configure(job: SafeGit, source: SafeGit, options: GitFolderOptions): Promise<void> {
  await job.run(["config", "remote.origin.url", options.remoteUrl]);
  await job.run(["config", "remote.origin.fetch", "+refs/heads/*:refs/remotes/origin/*"]);
  await job.run(["config", "gc.auto", "0"]);
  for (const [key, isGood] of AS_IT_LIES) {
    const value = await source.ask("config", "--get", key);
    if (value !== undefined && isGood.test(value)) await job.run(["config", key, value]);
  }
}

/** What makes files in the working tree differ from those that are committed; without it all of them would look changed. */
const AS_IT_LIES: readonly (readonly [string, RegExp])[] = [
  ["core.autocrlf", /^(true|input)$/i],
  ["core.eol", /^(lf|crlf|native)$/i],
  ["core.fileMode", /^false$/i],
];

async function makeIndex(
  job: SafeGit,
  gitDir: string,
  source: SafeGit,
  { commit, folders, filtered }: GitFolderOptions & { readonly commit: string },
): Promise<void> {
  if (folders !== undefined) {
    await mkdir(join(gitDir, "info"), { recursive: true });
    await writeFile(join(gitDir, "info/sparse-checkout"), conePatterns(folders));
    await job.run(["config", "core.sparseCheckout", "true"]);
    await job.run(["config", "core.sparseCheckoutCone", "true"]);
  }
  await job.run(["read-tree", commit]);
  const names = (await job.run(["ls-files", "-z"])).toString().split("\0").filter(Boolean);

  const isSparse = (await source.ask("config", "--bool", "core.sparseCheckout")) === "true";
  const absent = isSparse ? await sparseNames(source) : new Set<string>();
  await mark(
    job,
    "--skip-worktree",
    names.filter((name) => absent.has(name) || !isInCone(name, folders)),
  );
  const unchanged = new Set(filtered);
  await mark(
    job,
    "--assume-unchanged",
    names.filter((name) => unchanged.has(name)),
  );
}

async function sparseNames(source: SafeGit): Promise<Set<string>> {
  const listed = (await source.run(["ls-files", "-z", "-t", "--cached"])).toString();
  return new Set(listed.split("\0").flatMap((line) => after("S ", line) ?? []));
}

async function mark(job: SafeGit, flag: string, names: readonly string[]): Promise<void> {
  if (names.length === 0) return;
  const input = names.map((name) => `${name}\0`).join("");
  await job.run(["update-index", "-z", flag, "--stdin"], input);
}

function init(format: string): string[] {
  const sha256 = format === "sha1" ? [] : [`--object-format=${format}`];
  return ["init", "--quiet", "--template=", "--initial-branch=main", ...sha256];
}

/** A path in `objects/info/alternates`, where a line ends what is not quoted. */
function quoted(path: string): string {
  return path.includes("\n") ? JSON.stringify(path) : path;
}

function after(prefix: string, text: string): string | undefined {
  return text.startsWith(prefix) ? text.slice(prefix.length) : undefined;
}
