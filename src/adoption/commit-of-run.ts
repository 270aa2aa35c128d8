import type { Json } from "../../runner/expressions/template.ts";
import type { RunRefs } from "../../runner/workflow/github-context.ts";
import type { GitHubRun, Installation } from "../github/installation.ts";

type Payload = { readonly [key: string]: Json };

/** The commit and ref that GitHub used for a run, or why nobody can tell any more. */
export type RunCommit =
  | { readonly kind: "commit"; readonly refs: RunRefs }
  | { readonly kind: "unknown"; readonly reason: string };

export type AskedOfCommits = Pick<Installation, "mergeCommit" | "commitParents" | "refCommit">;

/**
 * Which commit and ref a run is about, as GitHub's page on events that trigger workflows says. What a run shows as its `headSha` is
 * the commit used, but for pull requests: there it is the head's, which may be a fork's.
 */
export async function commitOfRun(
  run: GitHubRun,
  payload: Payload | undefined,
  ask: AskedOfCommits,
): Promise<RunCommit> {
  switch (run.event) {
    case "pull_request":
    case "pull_request_review":
    case "pull_request_review_comment":
      return await ofPullRequest(run, payload, ask);
    case "pull_request_target":
      return await ofPullRequestTarget(run, payload, ask);
    default: {
      const { headRepository, repository } = run;
      const isOwn = headRepository?.toLowerCase() === repository.fullName.toLowerCase();
      if (headRepository !== null && !isOwn) {
        return unknown(
          `The run shows a commit of ${headRepository}, which no ${run.event} is for.`,
        );
      }
      return commit(run.headSha, await refOfEvent(run, payload, ask));
    }
  }
}

async function ofPullRequest(
  run: GitHubRun,
  payload: Payload | undefined,
  ask: AskedOfCommits,
): Promise<RunCommit> {
  const repository = run.repository.fullName;
  const number = pullNumber(run, payload);
  if (number === undefined) return unknown("Which pull request the run is for is not known.");
  const sides = pullRefs(run, payload);
  const merged = text(payload, "pull_request", "merge_commit_sha");

  // Of a merged pull request GitHub gives the branch it was merged into, and the commit that it became there.
  if (at(payload, "pull_request", "merged") === true && merged !== undefined) {
    const isThere = (await ask.commitParents(repository, merged)) !== undefined;
    return isThere ? commit(merged, `refs/heads/${sides.baseRef}`, sides) : mergeGone(number);
  }

  const ref = `refs/pull/${number}/merge`;
  const now = await ask.mergeCommit(repository, number);
  if (now?.parents.includes(run.headSha)) return commit(now.sha, ref, sides);
  const parents = merged === undefined ? undefined : await ask.commitParents(repository, merged);
  if (merged !== undefined && parents?.includes(run.headSha)) return commit(merged, ref, sides);
  return mergeGone(number);
}

/**
 * The default branch, whatever the base: so since December 8, 2025. The run shows the head's commit, so which one of the default
 * branch was used is known only while a first attempt is fresh, or as long as the branch has not moved.
 */
async function ofPullRequestTarget(
  run: GitHubRun,
  payload: Payload | undefined,
  ask: AskedOfCommits,
): Promise<RunCommit> {
  const { fullName, defaultBranch } = run.repository;
  const now = await ask.refCommit(fullName, `heads/${defaultBranch}`);
  if (now === undefined) return unknown(`The branch ${defaultBranch} is gone.`);
  const sides = pullRefs(run, payload);
  const isAtBase =
    sides.baseRef === defaultBranch && text(payload, "pull_request", "base", "sha") === now;
  if (run.attempt === 1 || isAtBase) return commit(now, `refs/heads/${defaultBranch}`, sides);
  return unknown(
    `GitHub runs it again at the commit of ${defaultBranch} that it used first, and the branch may have moved since: file at another commit.`,
  );
}

async function refOfEvent(
  run: GitHubRun,
  payload: Payload | undefined,
  ask: AskedOfCommits,
): Promise<string> {
  const defaultRef = `refs/heads/${run.repository.defaultBranch}`;
  switch (run.event) {
    case "push":
    case "workflow_dispatch": {
      const ref = text(payload, "ref");
      return ref === undefined ? await refOfBranch(run, ask) : fullRef(ref);
    }
    case "create": {
      const isTag = text(payload, "ref_type") === "tag";
      const name = text(payload, "ref") ?? run.headBranch ?? run.repository.defaultBranch;
      return `refs/${isTag ? "tags" : "heads"}/${name}`;
    }
    case "release": {
      const tag = text(payload, "release", "tag_name") ?? run.headBranch ?? "";
      return `refs/tags/${tag}`;
    }
    case "merge_group":
      return text(payload, "merge_group", "head_ref") ?? `refs/heads/${run.headBranch ?? ""}`;
    case "deployment":
    case "deployment_status":
      return await refOfBranch(run, ask);
    default:
      return defaultRef;
  }
}

/** What a run shows as its branch can be a tag, too; one that is both is taken for the branch. */
async function refOfBranch(run: GitHubRun, ask: AskedOfCommits): Promise<string> {
  const name = run.headBranch ?? run.repository.defaultBranch;
  const branch = await ask.refCommit(run.repository.fullName, `heads/${name}`);
  if (branch === run.headSha) return `refs/heads/${name}`;
  const tag = await ask.refCommit(run.repository.fullName, `tags/${name}`);
  return tag !== undefined && (branch === undefined || tag === run.headSha)
    ? `refs/tags/${name}`
    : `refs/heads/${name}`;
}

function pullNumber(run: GitHubRun, payload: Payload | undefined): number | undefined {
  const number = at(payload, "pull_request", "number") ?? at(payload, "number");
  if (typeof number === "number") return number;
  return run.pullRequests.find(({ headSha }) => headSha === run.headSha)?.number;
}

function pullRefs(
  run: GitHubRun,
  payload: Payload | undefined,
): { baseRef: string; headRef: string } {
  const known = run.pullRequests.find(({ headSha }) => headSha === run.headSha);
  return {
    baseRef: text(payload, "pull_request", "base", "ref") ?? known?.baseRef ?? "",
    headRef: text(payload, "pull_request", "head", "ref") ?? run.headBranch ?? "",
  };
}

function commit(sha: string, ref: string, sides = { baseRef: "", headRef: "" }): RunCommit {
  return { kind: "commit", refs: { sha, ref, ...sides } };
}

function mergeGone(number: number): RunCommit {
  return unknown(
    `The merge commit of pull request #${number} that GitHub used is gone: file at another commit.`,
  );
}

function unknown(reason: string): RunCommit {
  return { kind: "unknown", reason };
}

function fullRef(ref: string): string {
  return ref.startsWith("refs/") ? ref : `refs/heads/${ref}`;
}

/** What stands at a path of a payload. */
export function at(value: Json | undefined, ...path: readonly string[]): Json | undefined {
  let found = value;
  for (const key of path) {
    if (!isObject(found) || !Object.hasOwn(found, key)) return undefined;
    found = found[key];
  }
  return found;
}

/** A text there that is not empty. */
export function text(value: Json | undefined, ...path: readonly string[]): string | undefined {
  const found = at(value, ...path);
  return typeof found === "string" && found !== "" ? found : undefined;
}

function isObject(value: Json | undefined): value is Payload {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
