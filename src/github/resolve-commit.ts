import { text } from "node:stream/consumers";
import type { RepositoryReference } from "../../runner/actions/action-reference.ts";
import { BerthError } from "../../runner/errors.ts";
import type { GitHubAnswer, GitHubClient } from "./github-client.ts";

export type ResolveOptions = {
  progress(line: string): void;
  readonly signal: AbortSignal;
};

const SHA_MEDIA_TYPE = "application/vnd.github.sha";
const JSON_MEDIA_TYPE = "application/vnd.github+json";

/** Whether a ref is a whole commit id: SHA-1, or SHA-256 in the repositories that have it. */
export function isFullCommit(ref: string): boolean {
  return /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/i.test(ref);
}

/**
 * The commit that a branch or tag stands for now. Of a tag and a branch of the same name it is the tag, as for GitHub's own runner, where
 * the API alone would take the branch.
 *
 * @throws {BerthError} `ACTION_NOT_FOUND`, also for a shortened commit id, which GitHub does not take; `ACTION_FETCH_FAILED`
 */
export async function resolveCommit(
  client: GitHubClient,
  reference: RepositoryReference,
  options: ResolveOptions,
): Promise<Exclude<GitHubAnswer<string>, { kind: "missing" }>> {
  const { ref } = reference;
  const names = ref.startsWith("refs/") ? [ref.slice("refs/".length), ref] : [`tags/${ref}`, ref];
  for (const name of names) {
    const answer = await askCommit(client, reference, { ...options, name });
    if (answer.kind === "missing") continue;
    if (answer.kind === "done" && isShortened(ref, answer.value)) {
      throw shortened(reference, answer.value);
    }
    return answer;
  }
  throw await explainMissing(client, reference, options);
}

/** The path of a repository in the API; owner and name have been checked. */
export function repositoryPath({ owner, repo }: RepositoryReference): string {
  return `/repos/${encodeURIComponent(owner)}/${encodeURIComponent(repo)}`;
}

async function askCommit(
  client: GitHubClient,
  reference: RepositoryReference,
  { name, ...options }: ResolveOptions & { readonly name: string },
): Promise<GitHubAnswer<string>> {
  const path = `${repositoryPath(reference)}/commits/${encodeURIComponent(name)}`;
  const what = `Resolving action '${nameOf(reference)}'`;
  const read = async (body: AsyncIterable<Buffer>, type: string) =>
    readCommit(await text(body), type);
  return client.get(path, { accept: SHA_MEDIA_TYPE, what, read, ...options });
}

/** The id itself, or the whole commit as JSON from a server that does not heed `accept`. */
function readCommit(body: string, contentType: string): string {
  const isJson = /json/.test(contentType) && body.trimStart().startsWith("{");
  const commit = isJson ? shaIn(JSON.parse(body)) : body.trim();
  if (typeof commit === "string" && isFullCommit(commit)) return commit.toLowerCase();
  throw new Error(`no commit id but '${body.trim().slice(0, 40)}'`);
}

function shaIn(answer: unknown): unknown {
  return typeof answer === "object" && answer !== null && "sha" in answer ? answer.sha : undefined;
}

function isShortened(ref: string, commit: string): boolean {
  return /^[0-9a-f]{4,}$/i.test(ref) && commit.startsWith(ref.toLowerCase());
}

export function nameOf({ owner, repo, ref }: RepositoryReference): string {
  return `${owner}/${repo}@${ref}`;
}

/** GitHub's words for it. */
function shortened(reference: RepositoryReference, commit: string): BerthError {
  const { ref } = reference;
  return new BerthError("ACTION_NOT_FOUND", {
    message:
      `Unable to resolve action \`${nameOf(reference)}\`, the provided ref \`${ref}\` is the shortened version of a commit SHA, ` +
      `which is not supported. Please use the full commit SHA \`${commit}\` instead.`,
  });
}

/** Which of the two is missing, the repository or the ref in it. */
export async function explainMissing(
  client: GitHubClient,
  reference: RepositoryReference,
  options: ResolveOptions,
): Promise<BerthError> {
  const what = `Looking for the repository ${reference.owner}/${reference.repo}`;
  const read = async (body: AsyncIterable<Buffer>) => void (await text(body));
  const asking = { accept: JSON_MEDIA_TYPE, what, read, ...options };
  const answer = await client.get(repositoryPath(reference), asking);
  switch (answer.kind) {
    case "done":
      return refNotFound(client, reference);
    case "missing":
      return repositoryNotFound(client, reference);
    case "unanswered":
      return answer.error;
    default:
      return answer satisfies never;
  }
}

function refNotFound(client: GitHubClient, reference: RepositoryReference): BerthError {
  const { ref, owner, repo } = reference;
  return new BerthError("ACTION_NOT_FOUND", {
    message: `Unable to resolve action \`${nameOf(reference)}\`, unable to find version \`${ref}\`. Asked ${client.apiUrl}.`,
    remedy: `Name a branch, a tag or a full commit of ${owner}/${repo}.`,
  });
}

function repositoryNotFound(client: GitHubClient, reference: RepositoryReference): BerthError {
  const { owner, repo } = reference;
  const mayHide = client.hasToken
    ? "If it is private, the token must be allowed to read it."
    : "If it is private, give a token that may read it, with --token or GITHUB_TOKEN.";
  return new BerthError("ACTION_NOT_FOUND", {
    message: `Unable to resolve action \`${nameOf(reference)}\`, repository not found. Asked ${client.apiUrl} for ${owner}/${repo}.`,
    remedy: `Check the name. ${mayHide} ${client.ifNotFound}`.trim(),
  });
}
