import { BerthError } from "../errors.ts";
import type {
  ActionReference,
  RepositoryActionReference,
  RepositoryReference,
} from "./action-reference.ts";

type Read = ActionReference | { readonly kind: "self"; readonly path: string };

/**
 * What a step's `uses` names.
 *
 * @param containing The repository and commit of the file that says so: what `$/path` is in.
 * @throws {BerthError} `ACTION_INVALID` for what workflow reading refuses too, and for `$/path` when nobody knows where the file is from.
 */
export function parseActionReference(
  uses: string,
  containing?: RepositoryReference,
): ActionReference {
  const read = readReference(uses);
  if (typeof read === "string") throw new BerthError("ACTION_INVALID", { message: read });
  if (read.kind !== "self") return read;
  if (containing) return { kind: "repository", ...repositoryOf(containing), path: read.path };
  throw new BerthError("ACTION_INVALID", {
    message: `'${uses}' means the repository and commit of the file it stands in, which are not known here.`,
    remedy: "Write './path' for an action of the workspace, or '{owner}/{repo}/path@ref'.",
  });
}

/** What is wrong with a step's `uses`, in GitHub's words where it has some; `undefined` when nothing is. */
export function explainBadUses(uses: string): string | undefined {
  const read = readReference(uses);
  return typeof read === "string" ? read : undefined;
}

/** The same for references to the same repository and ref: GitHub tells apart the case of a ref, but not of a name. */
export function repositoryKey({ owner, repo, ref }: RepositoryReference): string {
  return `${owner}/${repo}`.toLowerCase().concat(`@${ref}`);
}

/** `owner/repo[/path]@ref`. */
export function printReference({ owner, repo, ref, path }: RepositoryActionReference): string {
  return `${owner}/${repo}${path && `/${path}`}@${ref}`;
}

/** The reference, or what is wrong with it. (`PipelineTemplateConverter.ConvertToStep` of GitHub's runner.) */
function readReference(uses: string): Read | string {
  const malformed = `Expected format {org}/{repo}[/path]@ref. Actual '${uses}'`;
  if (/[\u0000-\u001f\u007f]/.test(uses)) return malformed;
  if (uses.startsWith("docker://")) {
    const image = uses.slice("docker://".length).trim();
    return image === "" ? `'${uses}' names no image` : { kind: "image", image };
  }
  if (/^\.[\\/]/.test(uses)) return { kind: "local", path: uses };
  const self = /^\$\/+(.+)$/.exec(uses)?.[1];
  const [name = "", ref = "", ...rest] = self === undefined ? uses.split("@") : [self];
  const segments = name.split(/[\\/]/).filter((segment) => segment !== "" && segment !== ".");
  if (self !== undefined) {
    return segments.includes("..") ? leaves(uses) : { kind: "self", path: segments.join("/") };
  }
  const [owner = "", repo = "", ...path] = segments;
  if (rest.length > 0 || ref === "" || !isName(owner) || !isName(repo)) return malformed;
  if (path.includes("..")) return leaves(uses);
  if (!isPossibleRef(ref)) return `'${ref}' in '${uses}' cannot be a branch, a tag or a commit`;
  return { kind: "repository", owner, repo, ref, path: path.join("/") };
}

function leaves(uses: string): string {
  return `'${uses}' leaves its repository`;
}

/** What GitHub allows in names of owners and repositories. */
function isName(text: string): boolean {
  return /^[A-Za-z0-9._-]+$/.test(text) && text !== "." && text !== "..";
}

/** What `git check-ref-format` allows; the ref becomes a folder's path too. */
function isPossibleRef(ref: string): boolean {
  const isEvil = /[\s~^:?*[\\]|\.\.|@\{/.test(ref);
  return (
    !isEvil && ref.split("/").every((part) => /^[^.].*$/.test(part) && !/(?:\.|\.lock)$/.test(part))
  );
}

function repositoryOf({ owner, repo, ref }: RepositoryReference): RepositoryReference {
  return { owner, repo, ref };
}
