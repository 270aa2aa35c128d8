import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { describe, expect, it } from "@jest/globals";
import { temporaryRepository } from "../cli/temporary-repository.ts";
import { treeOf, unpacked } from "./unpacked.ts";

function aRepository(files: { [path: string]: string } = { "README.md": "hello\n" }) {
  const repository = temporaryRepository(files);
  repository.commit("First");
  return repository;
}

describe("the files", () => {
  it("are those tracked and those not ignored, as they lie there now", async () => {
    using repository = aRepository({ ".gitignore": "*.log\n", a: "old\n", gone: "", "dir/b": "" });
    repository.write("a", "new\n");
    repository.write("untracked/c", "c");
    repository.write("noise.log", "");
    rmSync(join(repository.root, "gone"));

    using tree = await unpacked(repository);

    expect(tree.names()).toEqual([".gitignore", "a", "dir/b", "untracked/c"]);
    expect(readFileSync(join(tree.folder, "a"), "utf8")).toBe("new\n");
    expect(tree).toMatchObject({ files: 4, changes: 3, told: [] });
  });

  it("keep odd names, links and the x bit", async () => {
    const odd = ["with space", "line\nbreak", "-dash", 'quo"te', "back\\slash", "ünï/漢字", "*"];
    const long = `${"deep/".repeat(40)}${"x".repeat(120)}`;
    using repository = aRepository(Object.fromEntries([...odd, long].map((name) => [name, name])));
    repository.write("run.sh", "#!/bin/sh\n");
    chmodSync(join(repository.root, "run.sh"), 0o700);
    symlinkSync("with space", join(repository.root, "link"));
    symlinkSync("/nowhere/at all", join(repository.root, "dangling"));

    using tree = await unpacked(repository);

    expect(tree.names()).toEqual([...odd, long, "run.sh", "link", "dangling"].sort());
    expect(readFileSync(join(tree.folder, long), "utf8")).toBe(long);
    expect(statSync(join(tree.folder, "run.sh")).mode & 0o777).toBe(0o755);
    expect(statSync(join(tree.folder, "-dash")).mode & 0o777).toBe(0o644);
    expect(readlinkSync(join(tree.folder, "dangling"))).toBe("/nowhere/at all");
  });

  it("leave out a name that is not UTF-8, and say so", async () => {
    using repository = aRepository();
    writeFileSync(Buffer.concat([Buffer.from(`${repository.root}/bad`), Buffer.of(0xff)]), "");

    using tree = await unpacked(repository);

    expect(tree.names()).toEqual(["README.md"]);
    expect(tree.told).toEqual([expect.stringContaining("its name is not UTF-8")]);
  });

  it("include those of submodules and nested repositories, each with its own ignored ones", async () => {
    using other = aRepository({ "inner.txt": "inner", ".gitignore": "built\n" });
    using repository = aRepository();
    repository.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", other.root, "sub");
    repository.commit("Submodule");
    repository.write("sub/built", "");
    mkdirSync(join(repository.root, "nested"));
    execFileSync("git", ["init", "-q"], { cwd: join(repository.root, "nested") });
    repository.write("nested/n", "");

    using tree = await unpacked(repository);

    const expected = [".gitmodules", "README.md", "nested/n", "sub/.gitignore", "sub/inner.txt"];
    expect(tree.names()).toEqual(expected);
    expect(tree.git("status", "--porcelain")).toBe("?? nested/");
  });

  it("keep the folder of a submodule that was never fetched", async () => {
    using other = aRepository();
    using repository = aRepository();
    repository.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", other.root, "sub");
    repository.commit("Submodule");
    repository.git("submodule", "deinit", "--force", "--quiet", "sub");

    using tree = await unpacked(repository);

    expect(readdirSync(join(tree.folder, "sub"))).toEqual([]);
    expect(tree.emptySubmodules).toEqual(["sub"]);
    expect(tree.git("status", "--porcelain")).toBe("");
  });

  it("do not include what lies behind a link that took a folder's place", async () => {
    using outside = temporaryRepository({ secret: "mine" }, { git: false });
    using repository = aRepository({ "dir/secret": "theirs" });
    rmSync(join(repository.root, "dir"), { recursive: true });
    symlinkSync(outside.root, join(repository.root, "dir"));

    using tree = await unpacked(repository);

    expect(tree.names()).toEqual(["dir"]);
  });

  it("are all there is where there is no repository, and there is no .git then", async () => {
    using folder = temporaryRepository({ a: "", "b/c": "", ".gitignore": "a" }, { git: false });

    using tree = await unpacked(folder);

    expect(tree.names()).toEqual([".gitignore", "a", "b/c"]);
    expect(existsSync(join(tree.folder, ".git"))).toBe(false);
    expect(tree).toMatchObject({ isRepository: false, commit: "" });
  });
});

describe("the .git folder", () => {
  it("is on the branch, tracks it at the server, and shows only what is not committed", async () => {
    using repository = aRepository({ a: "a", b: "b", c: "c" });
    repository.write("a", "changed");
    repository.write("new", "");
    rmSync(join(repository.root, "b"));

    using tree = await unpacked(repository);

    expect(tree.git("status", "--porcelain")).toBe(" M a\n D b\n?? new");
    expect(tree.git("status", "-sb").split("\n")[0]).toBe("## main...origin/main");
    expect(tree.git("rev-parse", "HEAD", "origin/main")).toBe(
      `${repository.git("rev-parse", "HEAD")}\n`.repeat(2).trimEnd(),
    );
    expect(tree.git("remote", "get-url", "origin")).toBe("https://github.example/octo/hello");
    expect(tree.git("fsck", "--full")).toBe("");
  });

  it("has as many commits as are asked for", async () => {
    using repository = aRepository();
    for (const message of ["Second", "Third"]) repository.commit(message);
    repository.git("tag", "v1", "HEAD~1");
    repository.git("branch", "topic", "HEAD~1");

    using one = await unpacked(repository);
    using two = await unpacked(repository, { fetchDepth: 2 });
    using all = await unpacked(repository, { fetchDepth: 0 });

    const count = (tree: typeof one) => tree.git("rev-list", "--count", "HEAD");
    expect([count(one), count(two), count(all)]).toEqual(["1", "2", "3"]);
    expect(one.git("tag")).toBe("");
    expect(all.git("for-each-ref", "--format=%(refname)")).toBe(
      "refs/heads/main\nrefs/remotes/origin/main\nrefs/remotes/origin/topic\nrefs/tags/v1",
    );
    expect(all.git("rev-parse", "--is-shallow-repository")).toBe("false");
  });

  it("has the tags when they are asked for", async () => {
    using repository = aRepository();
    repository.git("tag", "-a", "v1", "-m", "one");

    using tree = await unpacked(repository, { fetchTags: true });

    expect(tree.git("describe")).toBe("v1");
  });

  it("is detached at a tag, at a pull request and at a commit", async () => {
    using repository = aRepository();
    repository.git("tag", "v1");
    const refs = ["refs/tags/v1", "refs/pull/7/merge", ""];

    for (const ref of refs) {
      using tree = await unpacked(repository, { ref });
      expect(() => tree.git("symbolic-ref", "--quiet", "HEAD")).toThrow();
      expect(tree.git("rev-parse", "HEAD")).toBe(repository.git("rev-parse", "HEAD"));
      expect(tree.git("status", "--porcelain")).toBe("");
    }
    using atTag = await unpacked(repository, { ref: "refs/tags/v1" });
    expect(atTag.git("describe", "--tags", "--exact-match")).toBe("v1");
  });

  it("holds nothing of the user's: no hooks, credentials, configuration or reflog", async () => {
    using repository = aRepository();
    repository.git("config", "http.extraheader", "AUTHORIZATION: basic sesame");
    repository.git("remote", "add", "origin", "https://me:sesame@github.example/octo/hello");
    repository.write(".git/hooks/pre-commit", "#!/bin/sh\nexit 1\n");

    using tree = await unpacked(repository);

    const search = "grep -rlE 'sesame|ada@' . | grep -v 'pack$' || true";
    const found = execFileSync("sh", ["-c", search], { cwd: join(tree.folder, ".git") });
    expect(found.toString()).toBe("");
    expect(existsSync(join(tree.folder, ".git/hooks"))).toBe(false);
    expect(existsSync(join(tree.folder, ".git/logs"))).toBe(false);
  });

  it("comes of a worktree and of a submodule too, whose .git is a file", async () => {
    using repository = aRepository({ a: "" });
    const other = `${repository.root}-worktree`;
    repository.git("worktree", "add", "-q", "-b", "side", other);
    writeFileSync(join(other, "a"), "changed");
    const git = (...args: string[]) => repository.git("-C", other, ...args);

    using tree = await unpacked({ root: other, git });
    rmSync(other, { recursive: true });

    expect(tree.git("status", "--porcelain", "-b")).toBe("## side...origin/side\n M a");
  });

  it("comes of a shallow repository, and says that history is not whole", async () => {
    using full = aRepository();
    full.commit("Second");
    full.commit("Third");
    const root = `${full.root}-shallow`;
    execFileSync("git", ["clone", "-q", "--depth=2", `file://${full.root}`, root]);
    const git = (...args: string[]) => full.git("-C", root, ...args);

    using one = await unpacked({ root, git });
    using all = await unpacked({ root, git }, { fetchDepth: 0 });
    rmSync(root, { recursive: true });

    expect(one.git("rev-list", "--count", "HEAD")).toBe("1");
    expect(all.git("rev-list", "--count", "HEAD")).toBe("2");
    expect(all.told).toEqual([expect.stringContaining("shallow")]);
    expect(all.git("fsck")).toBe("");
  });

  it("is there without a commit as well", async () => {
    using repository = temporaryRepository({ a: "" });

    using tree = await unpacked(repository);

    expect(tree.git("status", "--porcelain", "-b")).toBe("## No commits yet on main\n?? a");
    expect(tree.commit).toBe("");
  });

  it("knows that files are changed by a filter on their way, and calls them unchanged", async () => {
    using repository = temporaryRepository({ ".gitattributes": "*.bin filter=shout\n" });
    repository.git("config", "filter.shout.clean", "tr A-Z a-z");
    repository.git("config", "filter.shout.smudge", "tr a-z A-Z");
    repository.write("x.bin", "LOUD\n");
    // Of the same time as the index, git would have to run the filter to know.
    utimesSync(join(repository.root, "x.bin"), 1e9, 1e9);
    repository.write("y.bin", "LOUD\n");
    repository.commit("First");
    repository.write("y.bin", "LOUDER\n");

    using tree = await unpacked(repository);

    expect(readFileSync(join(tree.folder, "x.bin"), "utf8")).toBe("LOUD\n");
    expect(tree.git("status", "--porcelain")).toBe(" M y.bin");
    expect(tree.changes).toBe(1);
  });

  it("knows line ends that the user's git converts, and a sparse checkout", async () => {
    using repository = aRepository({ a: "1\n", "in/b": "2\n", "out/c": "3\n" });
    repository.git("config", "core.autocrlf", "true");
    repository.write("a", "1\r\n");
    repository.git("sparse-checkout", "set", "in");
    repository.git("add", "a");

    using tree = await unpacked(repository);

    expect(tree.names()).toEqual(["a", "in/b"]);
    expect(readFileSync(join(tree.folder, "a"), "utf8")).toBe("1\r\n");
    expect(tree.git("status", "--porcelain")).toBe("");
  });

  it("is a sparse checkout of the folders that are asked for", async () => {
    const files = ["a", "in/b", "in/deep/c", "way/d", "way/to/e", "way/off/f", "out/g"];
    using repository = aRepository(Object.fromEntries(files.map((file) => [file, file])));

    using tree = await unpacked(repository, { folders: ["in", "way/to"] });

    expect(tree.names()).toEqual(["a", "in/b", "in/deep/c", "way/d", "way/to/e"]);
    expect(tree.git("status", "--porcelain")).toBe("");
    expect(tree.git("sparse-checkout", "list")).toBe("in\nway/to");
  });

  it("keeps the object format of a SHA-256 repository", async () => {
    using repository = temporaryRepository({ a: "" }, { git: false });
    repository.git("init", "-q", "--object-format=sha256", "--initial-branch=main");
    repository.git("config", "user.name", "Ada");
    repository.git("config", "user.email", "ada@example.org");
    const sha = repository.commit("First");

    using tree = await unpacked(repository);

    expect(tree.git("rev-parse", "HEAD")).toBe(sha);
    expect(tree.git("status", "--porcelain")).toBe("");
  });
});

it("runs nothing that the repository's configuration names", async () => {
  using repository = aRepository({ ".gitattributes": "* filter=evil diff=evil\n", a: "a" });
  using nested = aRepository();
  const ran = join(repository.root, "..", `${basename(repository.root)}-ran`);
  const evil = join(repository.root, ".git", "evil");
  writeFileSync(evil, `#!/bin/sh\necho "$0 $*" >> ${ran}\n`, { mode: 0o755 });
  execFileSync("mv", [nested.root, join(repository.root, "nested")]);
  mkdirSync(nested.root);
  const keys = ["core.fsmonitor", "core.sshCommand", "core.pager", "core.alternateRefsCommand"];
  const filters = ["clean", "smudge", "process"].flatMap((stage) => [
    `filter.evil.${stage}`,
    `filter.a=b.${stage}`,
  ]);
  for (const key of [...keys, ...filters, "uploadpack.packObjectsHook", "diff.evil.textconv"]) {
    repository.git("config", key, evil);
    repository.git("-C", "nested", "config", key, evil);
  }
  for (const hook of ["post-index-change", "reference-transaction", "post-checkout"]) {
    repository.write(`.git/hooks/${hook}`, readFileSync(evil, "utf8"));
    chmodSync(join(repository.root, ".git/hooks", hook), 0o755);
  }
  repository.write("a", "A"); // of the same size, so that git has to look
  // What git does without precautions, so that this test can fail.
  expect(() => repository.git("status")).toThrow();
  expect(existsSync(ran)).toBe(true);
  rmSync(ran);

  using tree = await unpacked(repository, { sha: headOf(repository.root), fetchDepth: 0 });

  expect(existsSync(ran) ? readFileSync(ran, "utf8") : "").toBe("");
  expect(tree.names()).toContain("a");
});

it("is not led out of its folder by core.worktree", async () => {
  using outside = temporaryRepository({ secret: "" }, { git: false });
  using repository = aRepository();
  const sha = headOf(repository.root);
  repository.git("config", "core.worktree", outside.root);

  using tree = await unpacked(repository, { sha, ref: "refs/heads/main" });

  expect(tree.names()).toEqual(["README.md"]);
});

it("says in git's words why a broken repository cannot be read", async () => {
  using repository = aRepository();
  const tree = treeOf(repository, { sha: "1".repeat(40) });

  const packing = tree.pack({
    fetchDepth: 1,
    progress: () => undefined,
    signal: new AbortController().signal,
  });

  await expect(packing).rejects.toMatchObject({ code: "WORKING_TREE_UNREADABLE" });
});

it("stands for its commit, its ref and its branch", () => {
  const sha = "a".repeat(40);
  const tree = treeOf({ root: "/", git: () => "" }, { sha, ref: "refs/heads/feature/x" });

  const refs = [sha, sha.toUpperCase(), "refs/heads/feature/x", "feature/x", "main", "x", ""];
  expect(refs.filter((ref) => tree.standsFor(ref))).toEqual(refs.slice(0, 4));
});

describe("while it is packed", () => {
  const LARGE = 40 << 20;
  const leftovers = () => readdirSync(tmpdir()).filter((name) => name.startsWith("berth-tree-"));

  it("tells of a file that shrinks, grows or vanishes, and the archive is whole", async () => {
    using repository = aRepository({ a: "a", z: "z" });
    writeFileSync(join(repository.root, "m1"), Buffer.alloc(LARGE, "m"));
    for (const name of ["n", "o"]) repository.write(name, name);
    const told: string[] = [];
    const { tar } = await treeOf(repository).pack({
      fetchDepth: 1,
      progress: (line) => void told.push(line),
      signal: new AbortController().signal,
    });

    // The archive is read with back-pressure: having read some of the large file, the rest is not packed yet.
    const chunks: Buffer[] = [];
    let length = 0;
    let isChanged = false;
    for await (const chunk of tar as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      length += chunk.length;
      if (length < 5 << 20 || isChanged) continue;
      isChanged = true;
      writeFileSync(join(repository.root, "m1"), "short");
      rmSync(join(repository.root, "n"));
      rmSync(join(repository.root, "o"));
      mkdirSync(join(repository.root, "o"));
    }
    const listed = execFileSync("tar", ["-tvf", "-"], { input: Buffer.concat(chunks) }).toString();

    expect(told.filter((line) => line.startsWith("m1"))).toEqual([
      "m1 changed while it was copied.",
    ]);
    expect(told.filter((line) => line.startsWith("n "))).toEqual([
      "n is left out: it vanished while it was copied.",
    ]);
    expect(listed).toMatch(new RegExp(` ${LARGE} .* m1\n`));
    expect(listed).toMatch(/ 1 .* z\n/);
  });

  it("stops when its signal is aborted, and leaves nothing behind", async () => {
    using repository = aRepository();
    writeFileSync(join(repository.root, "large"), Buffer.alloc(LARGE));
    const cancel = new AbortController();
    const before = leftovers();
    const { tar } = await treeOf(repository).pack({
      fetchDepth: 1,
      progress: () => undefined,
      signal: cancel.signal,
    });

    const reading = (async () => {
      for await (const _ of tar) cancel.abort(new Error("enough"));
    })();

    await expect(reading).rejects.toThrow("enough");
    expect(leftovers().filter((name) => !before.includes(name))).toEqual([]);
  });

  it("leaves nothing behind when nobody reads it", async () => {
    using repository = aRepository();
    const before = leftovers();
    const { tar } = await treeOf(repository).pack({
      fetchDepth: 1,
      progress: () => undefined,
      signal: new AbortController().signal,
    });

    const closed = new Promise((resolve) => tar.once("close", resolve));
    tar.destroy();
    await closed;

    const left = () => leftovers().filter((name) => !before.includes(name));
    while (left().length > 0) await new Promise((resolve) => setTimeout(resolve, 10));
    expect(left()).toEqual([]);
  });
});

function headOf(root: string): string {
  return execFileSync("git", ["rev-parse", "HEAD"], { cwd: root, encoding: "utf8" }).trim();
}
