import { emitCheckSuite } from "./check-events.ts";
import { suiteFor } from "./checks.ts";
import { emit, payloadOf } from "./emit.ts";
import { askGit } from "./git.ts";
import { changedFiles, type GitCommit, listCommits, listRefs, readCommit } from "./git-objects.ts";
import { type Account, type Hub, type Repository, timestamp } from "./hub.ts";
import type { JsonObject } from "./hub-event.ts";
import { updatePulls } from "./pulls.ts";
import { startRuns } from "./start-runs.ts";

type RefChange = { readonly ref: string; readonly before: string; readonly after: string };

const NO_COMMIT = "0".repeat(40);
const MAX_COMMITS = 20;
/** GitHub makes no events for tags when more than three are pushed at once. */
const MAX_TAGS = 3;

/** Does something to a repository's refs, then makes the events of what has changed. */
export async function changeRefs<Result>(
  hub: Hub,
  repository: Repository,
  pusher: Account,
  change: () => Promise<Result>,
): Promise<Result> {
  return await repository.changes.add(async () => {
    const before = await listRefs(repository.folder);
    try {
      return await change();
    } finally {
      const after = await listRefs(repository.folder);
      for (const changed of compare(before, after)) {
        if (!hub.closed.aborted) await announce(hub, repository, changed, pusher);
      }
    }
  });
}

function compare(
  before: ReadonlyMap<string, string>,
  after: ReadonlyMap<string, string>,
): RefChange[] {
  const names = [...new Set([...before.keys(), ...after.keys()])];
  const changes = names
    .map((ref) => ({
      ref,
      before: before.get(ref) ?? NO_COMMIT,
      after: after.get(ref) ?? NO_COMMIT,
    }))
    .filter((change) => change.before !== change.after);
  const tags = changes.filter(({ ref }) => ref.startsWith("refs/tags/"));
  const branches = changes.filter(({ ref }) => ref.startsWith("refs/heads/"));
  return tags.length > MAX_TAGS ? branches : [...branches, ...tags];
}

async function announce(
  hub: Hub,
  repository: Repository,
  change: RefChange,
  sender: Account,
): Promise<void> {
  const { ref } = change;
  const isTag = ref.startsWith("refs/tags/");
  const name = ref.replace(/^refs\/(?:heads|tags)\//, "");
  const refFields = { ref: name, ref_type: isTag ? "tag" : "branch" };
  const others = { repository, sender };
  if (change.after === NO_COMMIT) {
    const fields = { ...refFields, pusher_type: "user" };
    emit(hub, { event: "delete", ...others, fields });
    emit(hub, {
      event: "push",
      ...others,
      fields: await pushFields(hub, repository, change, sender),
    });
    return;
  }
  if (change.before === NO_COMMIT) {
    const fields = { ...refFields, master_branch: repository.defaultBranch, pusher_type: "user" };
    emit(hub, { event: "create", ...others, fields });
  }

  const after = await commitOf(repository, change.after);
  const files = await filesOf(repository, { ...change, after });
  const push = {
    event: "push",
    ...others,
    fields: await pushFields(hub, repository, { ...change, after }, sender),
  };
  emit(hub, push);
  const at = timestamp(hub);
  const suite = {
    repository,
    owner: "app",
    headSha: after,
    headBranch: name,
    createdAt: at,
  } as const;
  if (!isTag) emitCheckSuite(hub, suiteFor(hub, suite), "requested", sender);
  const { message } = await readCommit(repository.folder, after);
  await startRuns(hub, {
    ...{ repository, event: "push", payload: payloadOf(hub, push), sha: after, ref },
    facts: { ref, changedFiles: files, headMessage: message },
    ...{ headBranch: name, actor: sender },
  });
  if (!isTag) await updatePulls(hub, { repository, branch: name, sha: after }, sender);
}

async function commitOf({ folder }: Repository, sha: string): Promise<string> {
  const { stdout } = await askGit(folder, ["rev-parse", `${sha}^{commit}`]);
  return stdout.toString().trim();
}

async function filesOf(
  { folder }: Repository,
  { ref, before, after }: RefChange,
): Promise<string[]> {
  if (ref.startsWith("refs/tags/")) return [];
  const { added, modified, removed } = await changedFiles(folder, before, after);
  return [...added, ...modified, ...removed];
}

async function pushFields(
  hub: Hub,
  repository: Repository,
  { ref, before, after }: RefChange,
  pusher: Account,
): Promise<JsonObject> {
  const { folder, fullName } = repository;
  const isDeleted = after === NO_COMMIT;
  const range = before === NO_COMMIT ? [after] : [after, `^${before}`];
  const commits = isDeleted ? [] : (await listCommits(folder, range, MAX_COMMITS)).toReversed();
  const isForced =
    before !== NO_COMMIT &&
    !isDeleted &&
    (await askGit(folder, ["merge-base", "--is-ancestor", before, after])).code !== 0;
  const head = isDeleted
    ? null
    : await commitFields(hub, repository, await readCommit(folder, after));
  return {
    ref,
    before,
    after,
    created: before === NO_COMMIT,
    deleted: isDeleted,
    forced: isForced,
    base_ref: null,
    compare: `${hub.url}/${fullName}/compare/${before.slice(0, 12)}...${after.slice(0, 12)}`,
    commits: await Promise.all(commits.map((commit) => commitFields(hub, repository, commit))),
    head_commit: head,
    pusher: { name: pusher.login, email: `${pusher.login}@example.com` },
  };
}

async function commitFields(
  hub: Hub,
  { folder, fullName }: Repository,
  commit: GitCommit,
): Promise<JsonObject> {
  const { sha, tree, parents, author, committer, message } = commit;
  const files = await changedFiles(folder, parents[0] ?? NO_COMMIT, sha);
  return {
    id: sha,
    tree_id: tree,
    distinct: true,
    message,
    timestamp: committer.date,
    url: `${hub.url}/${fullName}/commit/${sha}`,
    author: { name: author.name, email: author.email },
    committer: { name: committer.name, email: committer.email },
    ...files,
  };
}
