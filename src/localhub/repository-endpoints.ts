import { canSee } from "./credentials.ts";
import { listRefs, resolveCommit } from "./git-objects.ts";
import type { Repository } from "./hub.ts";
import { counted, paginate } from "./paginate.ts";
import { notFound } from "./refusal.ts";
import { repositoryPayload } from "./repository-payload.ts";
import { type Call, ok, type Reply, type Route, repositoryOf } from "./route.ts";
import { temporaryToken } from "./serve-archive.ts";

const metadata = { for: "repository", permission: "metadata", level: "read" } as const;
const contents = { for: "repository", permission: "contents", level: "read" } as const;
const variables = { for: "repository", permission: "actions_variables", level: "read" } as const;

/** Repositories, their branches, archives and variables. */
export const repositoryRoutes: readonly Route[] = [
  {
    method: "GET",
    path: "/repos/:owner/:repo",
    access: metadata,
    handle: (call) => ok(repositoryPayload(call.hub, repositoryOf(call))),
  },
  { method: "GET", path: "/orgs/:account/repos", access: { for: "anyone" }, handle: listOwned },
  { method: "GET", path: "/users/:account/repos", access: { for: "anyone" }, handle: listOwned },
  { method: "GET", path: "/users/:account/keys", access: { for: "anyone" }, handle: listKeys },
  { method: "GET", path: "/repos/:owner/:repo/branches", access: contents, handle: listBranches },
  {
    method: "GET",
    path: "/repos/:owner/:repo/branches/*branch",
    access: contents,
    handle: showBranch,
  },
  { method: "GET", path: "/repos/:owner/:repo/tarball", access: contents, handle: redirect },
  { method: "GET", path: "/repos/:owner/:repo/tarball/*ref", access: contents, handle: redirect },
  {
    method: "GET",
    path: "/repos/:owner/:repo/actions/variables",
    access: variables,
    handle: (call) => listVariables(call, repositoryOf(call).variables),
  },
  {
    method: "GET",
    path: "/repos/:owner/:repo/actions/organization-variables",
    access: variables,
    handle: (call) => listVariables(call, repositoryOf(call).owner.variables),
  },
];

function listOwned(call: Call): Reply {
  const { hub, params, credential } = call;
  const owned = [...hub.repositories.values()].filter(
    (repository) =>
      repository.owner.login.toLowerCase() === params.account?.toLowerCase() &&
      canSee(hub, credential, repository),
  );
  return paginate(call, owned, (repository) => repositoryPayload(hub, repository));
}

function listKeys(call: Call): Reply {
  const { hub, params } = call;
  const account = hub.accounts.get(params.account?.toLowerCase() ?? "");
  if (account === undefined) throw notFound();
  const keys = (account.keys ?? []).map((key, at) => ({ id: at + 1, key }));
  return paginate(call, keys, (key) => key);
}

async function listBranches(call: Call): Promise<Reply> {
  const refs = await listRefs(repositoryOf(call).folder);
  const branches = [...refs].filter(([ref]) => ref.startsWith("refs/heads/"));
  return paginate(call, branches, ([ref, sha]) => branchPayload(ref.slice(11), sha));
}

async function showBranch(call: Call): Promise<Reply> {
  const { branch = "" } = call.params;
  const sha = await resolveCommit(repositoryOf(call).folder, `refs/heads/${branch}`);
  if (sha === undefined) throw notFound();
  return ok(branchPayload(branch, sha));
}

function branchPayload(name: string, sha: string) {
  return { name, commit: { sha }, protected: false };
}

/** As GitHub does: off to another address, with a token of its own where the repository is private. */
async function redirect(call: Call): Promise<Reply> {
  const { hub, params } = call;
  const repository = repositoryOf(call);
  const ref = params.ref || repository.defaultBranch;
  const sha = await resolveCommit(repository.folder, ref);
  if (sha === undefined) throw notFound();
  const query = repository.isPrivate ? `?token=${temporaryToken(hub, repository, sha)}` : "";
  const location = `${hub.url}/codeload/${repository.fullName}/legacy.tar.gz/${sha}${query}`;
  return { status: 302, headers: { Location: location } };
}

function listVariables(call: Call, all: Repository["variables"]): Reply {
  const show = ([name, value]: [string, string]) => ({ name, value });
  return paginate(call, [...all], show, counted("variables"));
}
