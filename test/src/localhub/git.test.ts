import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import type { LocalHub } from "../../../src/localhub/local-hub.ts";
import { startLocalHub } from "../../../src/localhub/start-local-hub.ts";
import { asInstallation, git, narrowToken, refusalOf, withToken } from "./hub-fixture.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "localhub-test-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const FILES = { "README.md": "# Hello\n", "src/a b.txt": "text\n", "run.sh": "#!/bin/sh\n" };
const repo = { owner: "octo", repo: "hello" };

function hubWithFiles(options = {}): Promise<LocalHub> {
  const repositories = [{ name: "hello", files: FILES, ...options }];
  return startLocalHub({ organizations: [{ login: "octo", repositories }] });
}

describe("git over HTTP", () => {
  it("clones, pushes and fetches with a token", async () => {
    await using hub = await hubWithFiles();
    const url = hub.cloneUrl("octo/hello");
    await git(folder, "clone", "-q", url, "one");
    await git(folder, "clone", "-q", url, "two");
    const [one, two] = [join(folder, "one"), join(folder, "two")];

    await writeFile(join(one, "new.txt"), "new");
    await git(one, "add", ".");
    await git(one, "commit", "-qm", "Add new");
    await git(one, "push", "-q", "origin", "HEAD");
    await git(two, "pull", "-q");

    expect((await readdir(two)).sort()).toEqual([".git", "README.md", "new.txt", "run.sh", "src"]);
  });

  it("takes an installation token, and refuses to push with one that may only read", async () => {
    await using hub = await hubWithFiles();
    const token = await narrowToken(hub, "octo", { permissions: { contents: "read" } });
    const url = new URL(`${hub.url}/octo/hello.git`);
    Object.assign(url, { username: "x-access-token", password: token });

    await git(folder, "clone", "-q", url.href, "copy");
    const copy = join(folder, "copy");
    await git(copy, "commit", "-q", "--allow-empty", "-m", "Change");
    const push = git(copy, "push", "-q", "origin", "HEAD");

    await expect(push).rejects.toThrow("403");
  });

  it("keeps a private repository from those without a token, and shows a public one", async () => {
    await using hub = await startLocalHub({
      organizations: [
        { login: "octo", repositories: [{ name: "hidden" }, { name: "open", private: false }] },
      ],
    });

    await git(folder, "clone", "-q", `${hub.url}/octo/open`, "open");
    const hidden = git(folder, "clone", "-q", `${hub.url}/octo/hidden`, "hidden");

    await expect(hidden).rejects.toThrow(/could not read Username|Authentication failed/);
  });

  it("lets any commit be fetched by its id, shallow and filtered, as actions/checkout does", async () => {
    await using hub = await hubWithFiles();
    const first = hub.commit("octo/hello", { branch: "main", message: "2", files: { x: "2" } });
    const sha = await first;
    await hub.commit("octo/hello", { branch: "main", message: "3", files: { x: "3" } });
    await git(folder, "init", "-q");
    const url = hub.cloneUrl("octo/hello");

    await git(folder, "fetch", "-q", "--depth=1", "--filter=blob:none", url, sha);

    expect(await git(folder, "log", "--format=%s", "FETCH_HEAD")).toBe("2");
  });

  it("copies a repository of this machine and leaves it as it was", async () => {
    await git(folder, "init", "-q", "-b", "trunk");
    await git(folder, "commit", "-q", "--allow-empty", "-m", "Mine");
    const before = await git(folder, "for-each-ref");

    await using hub = await hubWithFiles({ from: folder });
    const { data } = await withToken(hub, hub.tokenOf("octocat")).rest.repos.listCommits(repo);

    expect(data.map(({ commit }) => commit.message)).toEqual(["Add the first files", "Mine"]);
    expect(await git(folder, "for-each-ref")).toBe(before);
  });
});

describe("contents and git objects", () => {
  it("hands out files raw and as JSON at a ref, and folders as lists", async () => {
    await using hub = await hubWithFiles();
    const octokit = asInstallation(hub, "octo");
    const old = await octokit.rest.repos.getCommit({ ...repo, ref: "main" });
    await hub.commit("octo/hello", { branch: "main", message: "2", files: { "README.md": "new" } });
    const get = (path: string, options = {}) =>
      octokit.rest.repos.getContent({ ...repo, path, ...options });

    const raw = await get("README.md", { ref: old.data.sha, mediaType: { format: "raw" } });
    const { data: json } = await get("src/a b.txt");
    const { data: list } = await get("");
    const missing = await refusalOf(get("nothing"));
    const outside = await refusalOf(get("../../etc/passwd"));

    expect(raw.data).toBe("# Hello\n");
    expect(json).toMatchObject({ type: "file", name: "a b.txt", path: "src/a b.txt", size: 5 });
    expect(json).toMatchObject({ content: Buffer.from("text\n").toString("base64").concat("\n") });
    expect(list).toMatchObject([
      { name: "README.md", type: "file" },
      { name: "run.sh" },
      { name: "src", type: "dir" },
    ]);
    expect([missing[0], outside[0]]).toEqual([404, 404]);
  });

  it("shows commits, refs, trees and blobs, and makes and removes branches", async () => {
    await using hub = await hubWithFiles();
    const octokit = asInstallation(hub, "octo");
    const { data: head } = await octokit.rest.git.getRef({ ...repo, ref: "heads/main" });
    const { sha } = head.object;

    const { data: commit } = await octokit.rest.git.getCommit({ ...repo, commit_sha: sha });
    const { data: tree } = await octokit.rest.git.getTree({
      ...{ ...repo, tree_sha: commit.tree.sha, recursive: "1" },
    });
    const file = tree.tree.find(({ path }) => path === "run.sh");
    const { data: blob } = await octokit.rest.git.getBlob({ ...repo, file_sha: file?.sha ?? "" });
    await octokit.rest.git.createRef({ ...repo, ref: "refs/heads/a/b", sha });
    const again = await refusalOf(
      octokit.rest.git.createRef({ ...repo, ref: "refs/heads/a/b", sha }),
    );
    const { data: branch } = await octokit.rest.repos.getBranch({ ...repo, branch: "a/b" });
    await octokit.rest.git.deleteRef({ ...repo, ref: "heads/a/b" });
    const { data: branches } = await octokit.rest.repos.listBranches(repo);

    expect(commit.message).toBe("Add the first files");
    expect(file).toMatchObject({ mode: "100755", type: "blob" });
    expect(Buffer.from(blob.content, "base64").toString()).toBe("#!/bin/sh\n");
    expect(again).toEqual([422, expect.stringContaining("Reference already exists")]);
    expect(branch.commit.sha).toBe(sha);
    expect(branches.map(({ name }) => name)).toEqual(["main"]);
  });

  it("commits bytes as they are, and a script of bytes as executable", async () => {
    await using hub = await hubWithFiles();
    const octokit = asInstallation(hub, "octo");
    const files = { script: new TextEncoder().encode("#!/bin/sh\n"), data: Uint8Array.of(0, 255) };

    const sha = await hub.commit("octo/hello", { branch: "main", message: "2", files });

    const { data } = await octokit.rest.git.getTree({ ...repo, tree_sha: sha });
    const [bytes, script] = ["data", "script"].map((name) =>
      data.tree.find(({ path }) => path === name),
    );
    const { data: blob } = await octokit.rest.git.getBlob({ ...repo, file_sha: bytes?.sha ?? "" });
    expect([bytes?.mode, script?.mode]).toEqual(["100644", "100755"]);
    expect([...Buffer.from(blob.content, "base64")]).toEqual([0, 255]);
  });

  it("redirects to a tarball that only the redirection opens", async () => {
    await using hub = await hubWithFiles();
    const octokit = asInstallation(hub, "octo");

    const { data, url } = await octokit.rest.repos.downloadTarballArchive({ ...repo, ref: "main" });
    const bare = await fetch(new URL(new URL(url).pathname, hub.url));

    const tar = gunzipSync(Buffer.from(data as ArrayBuffer)).toString("latin1");
    expect(tar).toMatch(/octo-hello-[0-9a-f]{7}\/README\.md/);
    expect(bare.status).toBe(404);
  });
});

it("leaves no folder behind", async () => {
  const login = `org-${randomUUID()}`;
  const hub = await startLocalHub({ organizations: [{ login, repositories: [{ name: "r" }] }] });
  const folders = (await readdir(tmpdir())).filter((name) => name.startsWith("localhub-"));
  const own = folders
    .map((name) => join(tmpdir(), name))
    .find((path) => existsSync(join(path, login)));

  await hub[Symbol.asyncDispose]();

  expect(own).toBeDefined();
  expect(existsSync(own ?? "")).toBe(false);
});
