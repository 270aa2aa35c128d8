import { createHash } from "node:crypto";
import { escape as escapeGlob, Minimatch } from "minimatch";

/** The arguments of `hashFiles`, read: a first `--follow-symbolic-links` is an option, each other may hold several lines. */
export type HashFilesRequest = {
  readonly followSymbolicLinks: boolean;
  readonly patterns: readonly string[];
};

export function readHashFilesArguments(args: readonly string[]): HashFilesRequest {
  const followSymbolicLinks = args[0]?.toLowerCase() === "--follow-symbolic-links";
  const lines = args.slice(followSymbolicLinks ? 1 : 0).flatMap((arg) => arg.split(/\r?\n/));
  const patterns = lines.map((line) => line.trim());
  return {
    followSymbolicLinks,
    patterns: patterns.filter((pattern) => pattern !== "" && !pattern.startsWith("#")),
  };
}

type Pattern = {
  readonly isNegative: boolean;
  /** Where a search for it begins: what stands before its first wildcard. */
  readonly root: string;
  readonly matchers: readonly Minimatch[];
};

/**
 * The files that `hashFiles` takes, in the order in which it takes them: the folders that patterns begin with in order of
 * appearance, each walked depth first by name. A later pattern overrides an earlier one; a folder stands for all below it.
 * (`@actions/glob` of GitHub's toolkit.)
 *
 * @param files Absolute paths of all files below the workspace, no folders.
 * @throws {Error} When a pattern holds `.` or `..` anywhere but at its start.
 */
export function selectFilesToHash(
  patterns: readonly string[],
  files: readonly string[],
  { workspace, home }: { readonly workspace: string; readonly home: string },
): string[] {
  const parsed = patterns.map((pattern) => parsePattern(pattern, { workspace, home }));
  const inside = files.filter((file) => isBelow(file, workspace)).toSorted(compareDepthFirst);
  const chosen = inside.filter((file) => isChosen(file, parsed));
  const roots = outermost(parsed.filter(({ isNegative }) => !isNegative).map(({ root }) => root));
  return roots.flatMap((root) => chosen.filter((file) => file === root || isBelow(file, root)));
}

/** SHA-256 over the files' binary SHA-256 digests, in hex; `""` without files. */
export function combineDigests(hexDigests: readonly string[]): string {
  if (hexDigests.length === 0) return "";
  const hash = createHash("sha256");
  for (const digest of hexDigests) hash.update(digest, "hex");
  return hash.digest("hex");
}

function parsePattern(
  text: string,
  { workspace, home }: { readonly workspace: string; readonly home: string },
): Pattern {
  let pattern = text;
  let isNegative = false;
  while (pattern.startsWith("!")) {
    isNegative = !isNegative;
    pattern = pattern.slice(1).trim();
  }
  const absolute = makeAbsolute(pattern, { workspace, home }).replace(/\/{2,}/g, "/");
  const isFolder = absolute.length > 1 && absolute.endsWith("/");
  const path = isFolder ? absolute.slice(0, -1) : absolute;
  if (path.split("/").some((segment) => segment === "." || segment === "..")) {
    throw new Error(`Invalid pattern '${text}'. Relative pathing '.' and '..' is not allowed.`);
  }
  const descendants = path.endsWith("/**") ? [] : [`${path === "/" ? "" : path}/**`];
  return {
    isNegative,
    root: literalPrefix(path),
    // A folder's pattern with a slash at its end takes what is below, not a file of that name.
    matchers: [...(isFolder ? [] : [path]), ...descendants].map(compile),
  };
}

function makeAbsolute(
  pattern: string,
  { workspace, home }: { readonly workspace: string; readonly home: string },
): string {
  if (pattern === "~" || pattern.startsWith("~/")) return escapeGlob(home) + pattern.slice(1);
  if (pattern.startsWith("/")) return pattern;
  if (pattern === ".") return escapeGlob(workspace);
  return `${escapeGlob(workspace)}/${pattern.replace(/^\.\//, "")}`;
}

function compile(pattern: string): Minimatch {
  return new Minimatch(pattern, {
    dot: true,
    nobrace: true,
    nocomment: true,
    noext: true,
    nonegate: true,
  });
}

function literalPrefix(pattern: string): string {
  const segments: string[] = [];
  for (const segment of pattern.split("/")) {
    const literal = segment.replace(/\[(.)\]/g, "$1").replace(/\\(.)/g, "$1");
    const isWild = /[*?]|\[.*\]/.test(segment.replace(/\[.\]|\\./g, ""));
    if (isWild) break;
    segments.push(literal);
  }
  return segments.join("/") || "/";
}

function isChosen(file: string, patterns: readonly Pattern[]): boolean {
  let isIn = false;
  for (const { isNegative, matchers } of patterns) {
    if (matchers.some((matcher) => matcher.match(file))) isIn = !isNegative;
  }
  return isIn;
}

/** Without those that lie below another one. */
function outermost(roots: readonly string[]): string[] {
  const unique = [...new Set(roots)];
  return unique.filter((root) => !unique.some((other) => isBelow(root, other)));
}

function isBelow(path: string, folder: string): boolean {
  return folder === "/" ? path !== "/" : path.startsWith(`${folder}/`);
}

function compareDepthFirst(a: string, b: string): number {
  const left = a.split("/");
  const right = b.split("/");
  for (const [index, segment] of left.entries()) {
    const other = right[index];
    if (other === undefined) return 1;
    if (segment !== other) return Buffer.compare(Buffer.from(segment), Buffer.from(other));
  }
  return left.length - right.length;
}
