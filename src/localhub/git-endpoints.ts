import { z } from "zod";
import { askGit, git } from "./git.ts";
import {
  type GitCommit,
  listCommits,
  listRefs,
  listTree,
  readBlob,
  readCommit,
  resolveCommit,
} from "./git-objects.ts";
import { actorOf } from "./hub.ts";
import type { JsonObject } from "./hub-event.ts";
import { paginate } from "./paginate.ts";
import { changeRefs } from "./push.ts";
import { notFound, Refusal } from "./refusal.ts";
import { apiUrl } from "./repository-payload.ts";
import { type Call, ok, type Reply, type Route, readBody, repositoryOf } from "./route.ts";

const NewRef = z.object({ ref: z.string(), sha: z.string() });
const MAX_COMMITS = 1000;
const read = { for: "repository", permission: "contents", level: "read" } as const;
const write = { for: "repository", permission: "contents", level: "write" } as const;
const base = "/repos/:owner/:repo";

/** Commits, refs, trees and blobs. */
export const gitRoutes: readonly Route[] = [
  { method: "GET", path: `${base}/commits`, access: read, handle: listHistory },
  { method: "GET", path: `${base}/commits/:ref`, access: read, handle: showCommit },
  { method: "GET", path: `${base}/git/commits/:sha`, access: read, handle: showGitCommit },
  { method: "GET", path: `${base}/git/ref/*ref`, access: read, handle: showRef },
  { method: "GET", path: `${base}/git/matching-refs/*ref`, access: read, handle: listMatching },
  { method: "POST", path: `${base}/git/refs`, access: write, handle: createRef },
  { method: "DELETE", path: `${base}/git/refs/*ref`, access: write, handle: deleteRef },
  { method: "GET", path: `${base}/git/trees/:sha`, access: read, handle: showTree },
  { method: "GET", path: `${base}/git/blobs/:sha`, access: read, handle: showBlob },
];

async function listHistory(call: Call): Promise<Reply> {
  const { folder, defaultBranch } = repositoryOf(call);
  const sha = await resolveCommit(folder, call.query.get("sha") || defaultBranch);
  if (sha === undefined) throw notFound();
  const commits = await listCommits(folder, [sha], MAX_COMMITS);
  return paginate(call, commits, (commit) => commitPayload(call, commit));
}

async function showCommit(call: Call): Promise<Reply> {
  const { folder } = repositoryOf(call);
  const { ref = "" } = call.params;
  const sha = await resolveCommit(folder, ref);
  if (sha === undefined) throw new Refusal(422, `No commit found for SHA: ${ref}`);
  if (/application\/vnd\.github(?:\.v3)?\.sha/.test(call.accept)) {
    return { status: 200, raw: { type: "application/vnd.github.sha", bytes: Buffer.from(sha) } };
  }
  return ok(commitPayload(call, await readCommit(folder, sha)));
}

async function showGitCommit(call: Call): Promise<Reply> {
  const { folder } = repositoryOf(call);
  const sha = await resolveCommit(folder, call.params.sha ?? "");
  if (sha === undefined) throw notFound();
  return ok({ ...gitCommitFields(call, await readCommit(folder, sha)), sha });
}

function commitPayload(call: Call, commit: GitCommit): JsonObject {
  const { fullName } = repositoryOf(call);
  return {
    sha: commit.sha,
    commit: gitCommitFields(call, commit),
    url: apiUrl(call.hub, `/repos/${fullName}/commits/${commit.sha}`),
    html_url: `${call.hub.url}/${fullName}/commit/${commit.sha}`,
    author: null,
    committer: null,
    parents: commit.parents.map((sha) => ({ sha })),
  };
}

function gitCommitFields(call: Call, commit: GitCommit): JsonObject {
  const { author, committer, message, tree, parents, sha } = commit;
  const url = apiUrl(call.hub, `/repos/${repositoryOf(call).fullName}/git/commits/${sha}`);
  return {
    ...{ author, committer, message, url },
    tree: { sha: tree },
    parents: parents.map((parent) => ({ sha: parent })),
  };
}

async function showRef(call: Call): Promise<Reply> {
  const name = `refs/${call.params.ref}`;
  const sha = (await listRefs(repositoryOf(call).folder)).get(name);
  if (sha === undefined) throw notFound();
  return ok(await refPayload(call, name, sha));
}

async function listMatching(call: Call): Promise<Reply> {
  const prefix = `refs/${call.params.ref}`;
  const refs = [...(await listRefs(repositoryOf(call).folder))].filter(([name]) =>
    name.startsWith(prefix),
  );
  return ok(await Promise.all(refs.map(([name, sha]) => refPayload(call, name, sha))));
}

async function refPayload(call: Call, ref: string, sha: string): Promise<JsonObject> {
  const { folder, fullName } = repositoryOf(call);
  const url = apiUrl(call.hub, `/repos/${fullName}/git/${ref}`);
  return { ref, url, object: { sha, type: await git(folder, ["cat-file", "-t", sha]) } };
}

async function createRef(call: Call): Promise<Reply> {
  const repository = repositoryOf(call);
  const { folder } = repository;
  const { ref, sha } = readBody(call, NewRef);
  const isName = (await askGit(folder, ["check-ref-format", ref])).code === 0;
  if (!isName || !/^refs\/(?:heads|tags)\/./.test(ref)) {
    throw new Refusal(422, "Reference name is not valid");
  }
  if ((await listRefs(folder)).has(ref)) throw new Refusal(422, "Reference already exists");
  const isThere =
    /^[0-9a-f]{40}$/.test(sha) && (await askGit(folder, ["cat-file", "-e", sha])).code;
  if (isThere !== 0) throw new Refusal(422, "Object does not exist");
  const actor = actorOf(call.hub, call.credential);
  await changeRefs(call.hub, repository, actor, () => git(folder, ["update-ref", ref, sha]));
  return { status: 201, body: await refPayload(call, ref, sha) };
}

async function deleteRef(call: Call): Promise<Reply> {
  const repository = repositoryOf(call);
  const { folder } = repository;
  const ref = `refs/${call.params.ref}`;
  if (!(await listRefs(folder)).has(ref)) throw new Refusal(422, "Reference does not exist");
  const actor = actorOf(call.hub, call.credential);
  await changeRefs(call.hub, repository, actor, () => git(folder, ["update-ref", "-d", ref]));
  return { status: 204 };
}

async function showTree(call: Call): Promise<Reply> {
  const { folder } = repositoryOf(call);
  const name = call.params.sha ?? "";
  const args = ["rev-parse", "--verify", "--quiet", "--end-of-options"];
  const commit = await resolveCommit(folder, name);
  const { code, stdout } = await askGit(folder, [...args, `${commit ?? name}^{tree}`]);
  if (code !== 0) throw notFound();
  const sha = stdout.toString().trim();
  const entries = await listTree(folder, sha, { recursive: call.query.has("recursive") });
  const tree = entries.map(({ size, ...entry }) => ({
    ...entry,
    ...(size !== undefined && { size }),
  }));
  return ok({ sha, tree, truncated: false });
}

async function showBlob(call: Call): Promise<Reply> {
  const { folder } = repositoryOf(call);
  const { sha = "" } = call.params;
  const bytes = /^[0-9a-f]{40}$/.test(sha) ? await readBlob(folder, sha) : undefined;
  if (!bytes) throw notFound();
  return ok({ sha, size: bytes.length, encoding: "base64", content: bytes.toString("base64") });
}
