import { emit, payloadOf } from "./emit.ts";
import { askGit, git } from "./git.ts";
import { changedFiles, readCommit, resolveCommit } from "./git-objects.ts";
import {
  type Account,
  findRepository,
  type Hub,
  type PullRequest,
  type Repository,
  timestamp,
} from "./hub.ts";
import type { JsonObject } from "./hub-event.ts";
import type { PullRequestFacts } from "./hub-facts.ts";
import { pullPayload } from "./pull-payload.ts";
import { Refusal } from "./refusal.ts";
import { startRuns } from "./start-runs.ts";

/**
 * Opens a pull request, with its refs `refs/pull/N/head` and `refs/pull/N/merge`, and starts its workflows.
 *
 * @throws {Refusal} 422 when a branch is not there or there is nothing to merge.
 */
export async function createPull(
  hub: Hub,
  repository: Repository,
  { title, head, base, headRepository }: PullRequestFacts,
  author: Account,
): Promise<PullRequest> {
  const source = findHead(hub, repository, head, headRepository);
  const headSha =
    source && (await resolveCommit(source.repository.folder, `refs/heads/${source.ref}`));
  if (!source || headSha === undefined) throw invalidField("head");
  const baseSha = await resolveCommit(repository.folder, `refs/heads/${base}`);
  if (baseSha === undefined) throw invalidField("base");
  if (headSha === baseSha) {
    throw validationFailed({ message: `No commits between ${base} and ${head}` });
  }
  const pull: PullRequest = {
    ...{ id: hub.nextId(), number: repository.pulls.length + 1, title, author },
    ...{ base: { repository, ref: base }, head: source, createdAt: timestamp(hub) },
    ...{ headSha, mergeSha: undefined, state: "open" },
  };
  repository.pulls.push(pull);
  await setRefs(hub, pull);
  await announce(hub, pull, "opened", author);
  return pull;
}

/** Brings pull requests up to a push into their head, or base, branch. */
export async function updatePulls(
  hub: Hub,
  push: { readonly repository: Repository; readonly branch: string; readonly sha: string },
  sender: Account,
): Promise<void> {
  const { repository, branch, sha } = push;
  const is = (side: PullRequest["head"]) => side.repository === repository && side.ref === branch;
  for (const pull of [...hub.repositories.values()].flatMap(({ pulls }) => pulls)) {
    if (pull.state !== "open" || !(is(pull.head) || is(pull.base))) continue;
    const before = pull.headSha;
    if (is(pull.head)) pull.headSha = sha;
    await setRefs(hub, pull);
    if (is(pull.head)) await announce(hub, pull, "synchronize", sender, { before, after: sha });
  }
}

/** Closes a pull request without merging it. */
export async function closePull(hub: Hub, pull: PullRequest, sender: Account): Promise<void> {
  pull.state = "closed";
  await announce(hub, pull, "closed", sender);
}

/** What the API shows of a pull request. */
export async function showPull(hub: Hub, pull: PullRequest): Promise<JsonObject> {
  const { repository, ref } = pull.base;
  const baseSha = (await resolveCommit(repository.folder, `refs/heads/${ref}`)) ?? "";
  return pullPayload(hub, pull, baseSha);
}

function findHead(
  hub: Hub,
  repository: Repository,
  head: string,
  headRepository: string | undefined,
): PullRequest["head"] | undefined {
  const [owner, branch] = head.includes(":") ? head.split(":", 2) : [repository.owner.login, head];
  const source = findRepository(hub, headRepository ?? `${owner}/${repository.name}`);
  return source && branch ? { repository: source, ref: branch } : undefined;
}

async function setRefs(hub: Hub, pull: PullRequest): Promise<void> {
  const { repository, ref } = pull.base;
  const { folder } = repository;
  if (pull.head.repository !== repository) {
    await git(folder, ["fetch", "--quiet", "--no-tags", pull.head.repository.folder, pull.headSha]);
  }
  const prefix = `refs/pull/${pull.number}`;
  await git(folder, ["update-ref", `${prefix}/head`, pull.headSha]);
  const base = await git(folder, ["rev-parse", "--verify", `refs/heads/${ref}`]);
  const merged = await askGit(folder, ["merge-tree", "--write-tree", base, pull.headSha]);
  pull.mergeSha = undefined;
  if (merged.code !== 0) {
    await askGit(folder, ["update-ref", "-d", `${prefix}/merge`]);
    return;
  }
  const tree = merged.stdout.toString().trim();
  const message = `Merge ${pull.headSha} into ${base}`;
  const at = `${Math.floor(hub.now().getTime() / 1000)} +0000`;
  const who = { NAME: pull.author.login, EMAIL: `${pull.author.login}@example.com`, DATE: at };
  const env = Object.fromEntries(
    Object.entries(who).flatMap(([name, value]) => [
      [`GIT_AUTHOR_${name}`, value],
      [`GIT_COMMITTER_${name}`, value],
    ]),
  );
  const args = ["commit-tree", tree, "-p", base, "-p", pull.headSha, "-m", message];
  pull.mergeSha = await git(folder, args, { env });
  await git(folder, ["update-ref", `${prefix}/merge`, pull.mergeSha]);
}

async function announce(
  hub: Hub,
  pull: PullRequest,
  action: string,
  sender: Account,
  more: JsonObject = {},
): Promise<void> {
  const { repository, ref: base } = pull.base;
  const fields = { number: pull.number, pull_request: await showPull(hub, pull), ...more };
  const happening = { event: "pull_request", action, repository, sender, fields };
  emit(hub, happening);

  const baseSha = await git(repository.folder, ["rev-parse", `refs/heads/${base}`]);
  const fork = await mergeBase(repository, baseSha, pull.headSha);
  const files = await changedFiles(repository.folder, fork, pull.headSha);
  const { message } = await readCommit(repository.folder, pull.headSha);
  const shared = {
    ...{ repository, payload: payloadOf(hub, happening), actor: sender, pull },
    facts: {
      action,
      branch: base,
      changedFiles: Object.values(files).flat(),
      headMessage: message,
    },
    ...{ headSha: pull.headSha, headBranch: pull.head.ref },
  };
  // What conflicts has no merge commit, and no workflow runs on it.
  if (pull.mergeSha !== undefined) {
    const ref = `refs/pull/${pull.number}/merge`;
    await startRuns(hub, { ...shared, event: "pull_request", sha: pull.mergeSha, ref });
  }
  const ref = `refs/heads/${base}`;
  await startRuns(hub, { ...shared, event: "pull_request_target", sha: baseSha, ref });
}

async function mergeBase({ folder }: Repository, one: string, other: string): Promise<string> {
  const { code, stdout } = await askGit(folder, ["merge-base", one, other]);
  return code === 0 ? stdout.toString().trim() : one;
}

function invalidField(field: string): Refusal {
  return validationFailed({ field, code: "invalid" });
}

function validationFailed(error: JsonObject): Refusal {
  return new Refusal(422, "Validation Failed", { errors: [{ resource: "PullRequest", ...error }] });
}
