import { existsSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { type AskGit, askGitIn } from "./git-command.ts";
import { parseRemote } from "./parse-remote.ts";

/** What git knows of the repository that a workflow is run in; works, with less, where there is no git. */
export type RepositoryFacts = {
  /** Absolute. */
  readonly root: string;
  /** `owner/name`, from the remote `origin`, else `local/<folder>`. */
  readonly repository: string;
  readonly serverUrl: string;
  /** 40 hex digits; zeros where there is no commit. */
  readonly sha: string;
  /** The full ref that is checked out: a branch, or a tag where HEAD is detached at one. */
  readonly ref: string;
  readonly defaultBranch: string;
  readonly userName: string;
  readonly userEmail: string;
  readonly head: Commit | undefined;
  /** What a push of HEAD starts from: the upstream's commit, else HEAD's parent, else zeros. */
  readonly before: string;
  /** Where HEAD left the default branch; zeros where that is unknown. */
  readonly mergeBase: string;
  /** The newest tag that HEAD contains. */
  readonly latestTag: string | undefined;
  /** Files that differ from a commit, uncommitted ones included; `undefined` where git cannot say. */
  changedSince(commit: string): Promise<string[] | undefined>;
};

export type Commit = {
  readonly id: string;
  readonly tree: string;
  readonly message: string;
  /** ISO 8601 with the author's offset. */
  readonly timestamp: string;
  readonly author: Person;
  readonly committer: Person;
};
export type Person = { readonly name: string; readonly email: string };

export const NO_COMMIT = "0".repeat(40);
/** The tree without files: what a first commit differs from. */
const EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";
const DEFAULT_SERVER = "https://github.com";

/** Reads the repository that holds `folder`. */
export async function readRepository(folder: string): Promise<RepositoryFacts> {
  const askInFolder = askGitIn(folder);
  const root = (await askInFolder("rev-parse", "--show-toplevel")) ?? findRoot(folder);
  const ask = askGitIn(root);

  const head = await readCommit(ask);
  const sha = head?.id ?? NO_COMMIT;
  const [defaultBranch, remoteUrl, userName, userEmail, latestTag] = await Promise.all([
    readDefaultBranch(ask),
    ask("remote", "get-url", "origin"),
    ask("config", "user.name"),
    ask("config", "user.email"),
    ask("describe", "--tags", "--abbrev=0"),
  ]);
  const remote = remoteUrl === undefined ? undefined : parseRemote(remoteUrl);
  return {
    root,
    repository: remote?.repository ?? `local/${basename(root) || "repository"}`,
    serverUrl: remote?.serverUrl ?? DEFAULT_SERVER,
    sha,
    ref: await readRef(ask, defaultBranch),
    defaultBranch,
    userName: userName || "berth",
    userEmail: userEmail || "berth@localhost",
    head,
    before: await readBefore(ask),
    mergeBase: await readMergeBase(ask, defaultBranch),
    latestTag,
    changedSince: (commit) => readChanges(ask, commit),
  };
}

/** Without git: the nearest folder upwards that has workflows, else the folder itself. */
function findRoot(folder: string): string {
  for (let at = resolve(folder); ; at = dirname(at)) {
    if (existsSync(join(at, ".github/workflows"))) return at;
    if (dirname(at) === at) return resolve(folder);
  }
}

async function readCommit(ask: AskGit): Promise<Commit | undefined> {
  const format = "--format=%H%x00%T%x00%aI%x00%an%x00%ae%x00%cn%x00%ce%x00%B";
  const text = await ask("log", "-1", "--no-show-signature", format);
  if (!text) return undefined;
  const [id = "", tree = "", timestamp = "", ...rest] = text.split("\0");
  const [authorName = "", authorEmail = "", committerName = "", committerEmail = "", body = ""] =
    rest;
  return {
    id,
    tree,
    message: body.trimEnd(),
    timestamp: timestamp.replace(/[+]00:00$/, "Z"), // as GitHub and newer versions of git write it
    author: { name: authorName, email: authorEmail },
    committer: { name: committerName, email: committerEmail },
  };
}

async function readDefaultBranch(ask: AskGit): Promise<string> {
  const remote = await ask("symbolic-ref", "--short", "refs/remotes/origin/HEAD");
  if (remote) return remote.replace(/^origin\//, "");
  const branches = (await ask("for-each-ref", "--format=%(refname:short)", "refs/heads")) ?? "";
  const names = branches.split("\n");
  const known = ["main", "master"].find((name) => names.includes(name));
  return known ?? (await ask("symbolic-ref", "--short", "HEAD")) ?? "main";
}

async function readRef(ask: AskGit, defaultBranch: string): Promise<string> {
  const branch = await ask("symbolic-ref", "HEAD");
  if (branch) return branch;
  const tag = await ask("describe", "--tags", "--exact-match", "HEAD");
  if (tag) return `refs/tags/${tag}`;
  const at = await ask("for-each-ref", "--points-at=HEAD", "--format=%(refname)", "refs/heads");
  return at?.split("\n")[0] || `refs/heads/${defaultBranch}`;
}

async function readBefore(ask: AskGit): Promise<string> {
  const upstream = await ask("rev-parse", "--verify", "--quiet", "@{upstream}");
  if (upstream && upstream !== (await ask("rev-parse", "HEAD"))) {
    const base = await ask("merge-base", upstream, "HEAD");
    if (base === upstream) return upstream;
  }
  return (await ask("rev-parse", "--verify", "--quiet", "HEAD~1")) || NO_COMMIT;
}

async function readMergeBase(ask: AskGit, defaultBranch: string): Promise<string> {
  for (const branch of [`refs/remotes/origin/${defaultBranch}`, `refs/heads/${defaultBranch}`]) {
    const base = await ask("merge-base", branch, "HEAD");
    if (base) return base;
  }
  return NO_COMMIT;
}

async function readChanges(ask: AskGit, commit: string): Promise<string[] | undefined> {
  const base = commit === NO_COMMIT ? EMPTY_TREE : commit;
  const [tracked, untracked] = await Promise.all([
    ask("diff", "--name-only", "-z", "--no-renames", base),
    ask("ls-files", "-z", "--others", "--exclude-standard"),
  ]);
  if (tracked === undefined) return undefined;
  return [...tracked.split("\0"), ...(untracked ?? "").split("\0")].filter((file) => file !== "");
}
