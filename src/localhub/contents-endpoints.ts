import { Buffer } from "node:buffer";
import { z } from "zod";
import { commitFiles } from "./commit-files.ts";
import { findObject, listTree, readBlob, resolveCommit, type TreeEntry } from "./git-objects.ts";
import { actorOf } from "./hub.ts";
import type { JsonObject } from "./hub-event.ts";
import { changeRefs } from "./push.ts";
import { notFound, Refusal } from "./refusal.ts";
import { apiUrl } from "./repository-payload.ts";
import { type Call, ok, type Reply, type Route, readBody, repositoryOf } from "./route.ts";

const FileUpdate = z.object({
  message: z.string(),
  content: z.string(),
  sha: z.string().optional(),
  branch: z.string().optional(),
});
const access = (level: "read" | "write") =>
  ({ for: "repository", permission: "contents", level }) as const;

/** Files and folders at a ref, raw or as JSON; writing one file. */
export const contentsRoutes: readonly Route[] = [
  {
    method: "GET",
    path: "/repos/:owner/:repo/contents",
    access: access("read"),
    handle: showContents,
  },
  {
    method: "GET",
    path: "/repos/:owner/:repo/contents/*path",
    access: access("read"),
    handle: showContents,
  },
  {
    method: "PUT",
    path: "/repos/:owner/:repo/contents/*path",
    access: access("write"),
    handle: writeFile,
  },
];

async function showContents(call: Call): Promise<Reply> {
  const { folder, defaultBranch } = repositoryOf(call);
  const ref = call.query.get("ref") || defaultBranch;
  const path = cleanPath(call.params.path ?? "");
  const commit = await resolveCommit(folder, ref);
  if (commit === undefined) throw new Refusal(404, `No commit found for the ref ${ref}`);
  const found = await findObject(folder, commit, path);
  if (!found || found.type === "commit") throw notFound();
  if (found.type === "tree") {
    const entries = await listTree(folder, found.sha);
    return ok(entries.map((entry) => entryPayload(call, entry, path, ref)));
  }
  const bytes = (await readBlob(folder, found.sha)) ?? Buffer.alloc(0);
  if (/application\/vnd\.github(?:\.v3)?[.+]raw/.test(call.accept)) {
    return { status: 200, raw: { type: "application/vnd.github.raw; charset=utf-8", bytes } };
  }
  const name = path.split("/").at(-1) ?? "";
  const entry = { mode: "100644", type: "blob", sha: found.sha, size: bytes.length, path: name };
  return ok({
    ...entryPayload(call, entry, path.split("/").slice(0, -1).join("/"), ref),
    encoding: "base64",
    content: `${(bytes.toString("base64").match(/.{1,60}/g) ?? []).join("\n")}\n`,
  });
}

async function writeFile(call: Call): Promise<Reply> {
  const repository = repositoryOf(call);
  const { folder, defaultBranch } = repository;
  const path = cleanPath(call.params.path ?? "");
  const { message, content, sha, branch = defaultBranch } = readBody(call, FileUpdate);
  const actor = actorOf(call.hub, call.credential);
  const bytes = Buffer.from(content, "base64");
  const before = await changeRefs(call.hub, repository, actor, async () => {
    const head = await resolveCommit(folder, `refs/heads/${branch}`);
    if (head === undefined && branch !== defaultBranch) {
      throw new Refusal(404, `Branch ${branch} not found`);
    }
    const found = head === undefined ? undefined : await findObject(folder, head, path);
    if (found && sha === undefined) {
      throw new Refusal(422, `Invalid request.\n\n"sha" wasn't supplied.`);
    }
    if (found && found.sha !== sha) throw new Refusal(409, `${path} does not match ${sha}`);
    const files = { [path]: bytes };
    await commitFiles(folder, { branch, message, files }, { date: call.hub.now() });
    return found;
  });
  const commit = (await resolveCommit(folder, `refs/heads/${branch}`)) ?? "";
  const written = await findObject(folder, commit, path);
  const entry = { mode: "", type: "blob", sha: written?.sha ?? "", size: bytes.length };
  const parts = path.split("/");
  const file = { ...entry, path: parts.at(-1) ?? "" };
  return {
    status: before ? 200 : 201,
    body: {
      content: entryPayload(call, file, parts.slice(0, -1).join("/"), branch),
      commit: { sha: commit, message },
    },
  };
}

function entryPayload(call: Call, entry: TreeEntry, parent: string, ref: string): JsonObject {
  const { hub } = call;
  const { fullName } = repositoryOf(call);
  const path = parent === "" ? entry.path : `${parent}/${entry.path}`;
  const query = `?ref=${encodeURIComponent(ref)}`;
  const type = entry.type === "tree" ? "dir" : entry.type === "commit" ? "submodule" : "file";
  return {
    type: entry.mode === "120000" ? "symlink" : type,
    name: entry.path,
    path,
    sha: entry.sha,
    size: entry.size ?? 0,
    url: apiUrl(hub, `/repos/${fullName}/contents/${encodeURI(path)}${query}`),
    git_url: apiUrl(hub, `/repos/${fullName}/git/${entry.type}s/${entry.sha}`),
    html_url: `${hub.url}/${fullName}/blob/${ref}/${encodeURI(path)}`,
    download_url: null,
  };
}

function cleanPath(path: string): string {
  const clean = path.replace(/^\/+|\/+$/g, "");
  if (clean.split("/").some((part) => part === ".." || part === ".")) throw notFound();
  return clean;
}
