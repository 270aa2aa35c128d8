import { askGit, git } from "./git.ts";

export type GitSignature = { readonly name: string; readonly email: string; readonly date: string };
export type GitCommit = {
  readonly sha: string;
  readonly tree: string;
  readonly parents: readonly string[];
  readonly author: GitSignature;
  readonly committer: GitSignature;
  readonly message: string;
};
export type TreeEntry = {
  readonly mode: string;
  readonly type: string;
  readonly sha: string;
  /** `undefined` for folders and submodules. */
  readonly size: number | undefined;
  readonly path: string;
};

const NO_COMMIT = "0".repeat(40);

/** The commit that a branch, tag, ref or (abbreviated) commit means; `undefined` when there is none. */
export async function resolveCommit(folder: string, ref: string): Promise<string | undefined> {
  // GitHub looks at branches before tags.
  for (const name of [`refs/heads/${ref}`, `refs/tags/${ref}`, ref]) {
    const args = ["rev-parse", "--verify", "--quiet", "--end-of-options", `${name}^{commit}`];
    const { code, stdout } = await askGit(folder, args);
    if (code === 0) return stdout.toString().trim();
  }
  return undefined;
}

/** Every ref and what it points to. */
export async function listRefs(folder: string): Promise<Map<string, string>> {
  const text = await git(folder, ["for-each-ref", "--format=%(refname) %(objectname)"]);
  return new Map(
    text
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => {
        const [name = "", sha = ""] = line.split(" ");
        return [name, sha];
      }),
  );
}

export async function readCommit(folder: string, sha: string): Promise<GitCommit> {
  const [commit] = await listCommits(folder, [sha], 1);
  if (!commit) throw new Error(`There is no commit ${sha}.`);
  return commit;
}

/** Commits that these revisions reach, newest first. */
export async function listCommits(
  folder: string,
  revisions: readonly string[],
  max: number,
): Promise<GitCommit[]> {
  const format = "%H%x1f%T%x1f%P%x1f%an%x1f%ae%x1f%aI%x1f%cn%x1f%ce%x1f%cI%x1f%B";
  const args = ["log", "-z", `--max-count=${max}`, `--format=${format}`, ...revisions, "--"];
  const text = await git(folder, args);
  return text
    .split("\0")
    .filter((record) => record !== "")
    .map((record) => {
      const [sha = "", tree = "", parents = "", an = "", ae = "", at = "", ...rest] =
        record.split("\x1f");
      const [cn = "", ce = "", ct = "", ...message] = rest;
      return {
        sha,
        tree,
        parents: parents.split(" ").filter((parent) => parent !== ""),
        author: { name: an, email: ae, date: at },
        committer: { name: cn, email: ce, date: ct },
        message: message.join("\x1f").trimEnd(),
      };
    });
}

/** What a tree holds; `path` names a folder in it. */
export async function listTree(
  folder: string,
  tree: string,
  { recursive = false }: { readonly recursive?: boolean } = {},
): Promise<TreeEntry[]> {
  const flags = recursive ? ["-r", "-t"] : [];
  const { code, stdout } = await askGit(folder, ["ls-tree", "-z", "-l", ...flags, tree]);
  if (code !== 0) return [];
  return stdout
    .toString()
    .split("\0")
    .filter((line) => line !== "")
    .map((line) => {
      const [fields = "", path = ""] = line.split("\t");
      const [mode = "", type = "", sha = "", size = "-"] = fields.split(/ +/);
      return { mode, type, sha, size: size === "-" ? undefined : Number(size), path };
    });
}

export async function readBlob(folder: string, sha: string): Promise<Buffer | undefined> {
  const { code, stdout } = await askGit(folder, ["cat-file", "blob", sha]);
  return code === 0 ? stdout : undefined;
}

/** A file's or folder's object at a commit; `undefined` when the path is not there. */
export async function findObject(
  folder: string,
  commit: string,
  path: string,
): Promise<{ readonly sha: string; readonly type: string } | undefined> {
  const name = `${commit}:${path}`;
  const args = ["rev-parse", "--verify", "--quiet", "--end-of-options", name];
  const { code, stdout } = await askGit(folder, args);
  if (code !== 0) return undefined;
  const sha = stdout.toString().trim();
  const { stdout: type, code: typeCode } = await askGit(folder, ["cat-file", "-t", sha]);
  return typeCode === 0 ? { sha, type: type.toString().trim() } : { sha, type: "commit" };
}

/** Files that differ between two commits; all files of the second when the first is none. */
export async function changedFiles(
  folder: string,
  before: string,
  after: string,
): Promise<{ added: string[]; modified: string[]; removed: string[] }> {
  const args =
    before === NO_COMMIT
      ? ["diff-tree", "--root", "--no-commit-id", "-r", "-z", "--name-status", after]
      : ["diff-tree", "-r", "-z", "--no-renames", "--name-status", before, after];
  const { stdout } = await askGit(folder, args);
  const words = stdout.toString().split("\0");
  const files = { added: [] as string[], modified: [] as string[], removed: [] as string[] };
  for (let at = 0; at + 1 < words.length; at += 2) {
    const path = words[at + 1] ?? "";
    if (words[at] === "A") files.added.push(path);
    else if (words[at] === "D") files.removed.push(path);
    else files.modified.push(path);
  }
  return files;
}
