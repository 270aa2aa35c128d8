import { spawn } from "node:child_process";
import { once } from "node:events";
import { pipeline } from "node:stream/promises";
import { describe, expect, it } from "@jest/globals";
import { parseActionReference } from "../../../runner/actions/parse-reference.ts";
import { executeJob } from "../../../runner/job/execute-job.ts";
import type { JobDescription } from "../../../runner/job/job-description.ts";
import type { JobEvent } from "../../../runner/job/job-event.ts";
import { openLocalPlace } from "../../../runner/job/local-place.ts";
import type { PackOptions, WorkingTree } from "../../../runner/job/working-tree.ts";
import { openShell } from "../../../runner/shell/open-shell.ts";
import type { Checkpoint, Shell } from "../../../runner/shell/shell.ts";
import { isOwnCheckout } from "../../../runner/steps/check-out-working-tree.ts";
import {
  type TemporaryRepository,
  temporaryRepository,
} from "../../src/cli/temporary-repository.ts";
import { treeOf } from "../../src/working-tree/unpacked.ts";
import { aJob, ex, mapping, type RunOptions, run, type StepFixture } from "../job/job-fixture.ts";
import { aHome, aJournal, never } from "../job/two-lives.ts";
import { uses } from "./actions-fixture.ts";

const files = { "README.md": "hello\n", "src/a": "a", "src/deep/b": "b", "docs/c": "c" };

function aRepository(): TemporaryRepository & { readonly sha: string } {
  const repository = temporaryRepository(files);
  return Object.assign(repository, { sha: repository.commit("First") });
}

function aCheckoutJob(
  { sha }: { readonly sha: string },
  steps: readonly StepFixture[],
  github: { readonly [name: string]: string } = {},
): JobDescription {
  const job = aJob(steps);
  const own = { ref: "refs/heads/main", sha, server_url: "https://github.example" };
  const contexts = { ...job.contexts, github: { ...job.contexts.github, ...own, ...github } };
  return { ...job, contexts, secrets: { GITHUB_TOKEN: "t0ken" } };
}

function checkout(inputs: { readonly [name: string]: string } = {}, id = "checkout") {
  return uses("actions/checkout@v4", { id, with: mapping(inputs) });
}

async function runIn(
  repository: TemporaryRepository & { readonly sha: string },
  steps: readonly StepFixture[],
  options: RunOptions = {},
) {
  const job = aCheckoutJob(repository, steps);
  const { server_url: serverUrl } = job.contexts.github;
  const tree = treeOf(repository, { serverUrl: String(serverUrl) });
  return run(job, { workingTree: tree, ...options });
}

describe("actions/checkout of the repository itself", () => {
  it("yields the working tree, with what is not committed, and a git that knows it", async () => {
    using repository = aRepository();
    repository.write("README.md", "changed\n");
    repository.write("new", "");

    const { log, steps } = await runIn(repository, [
      checkout(),
      { run: "cat README.md; git status --porcelain; git remote get-url origin" },
      { run: "git stash -q && git diff-index --quiet HEAD && echo clean" },
      {
        run: ex(
          "format('echo {0} {1}', steps.checkout.outputs.ref, steps.checkout.outputs.commit)",
        ),
      },
    ]);

    const short = repository.sha.slice(0, 12);
    expect(log[0]).toMatch(
      new RegExp(
        `^Copied 5 files from the working tree to .*hello/hello \\(at ${short}, 2 uncommitted changes\\)\\.$`,
      ),
    );
    expect(log.slice(1)).toEqual([
      "changed",
      " M README.md",
      "?? new",
      "https://github.example/octo/hello",
      "clean",
      `refs/heads/main ${repository.sha}`,
    ]);
    expect(steps).toEqual(Array(4).fill("success/success"));
  });

  it("lets git diff-index see at once that nothing is changed", async () => {
    using repository = aRepository();

    const { steps } = await runIn(repository, [checkout(), { run: "git diff-index --quiet HEAD" }]);

    expect(steps[1]).toBe("success/success");
  });

  it("puts it below the folder that `path` names, which must lie in the workspace", async () => {
    using repository = aRepository();

    const { log, annotations, steps } = await runIn(repository, [
      checkout({ path: "a/b" }),
      { run: "cat a/b/src/a; git -C a/b rev-parse --is-shallow-repository" },
      checkout({ path: "../outside" }, "outside"),
    ]);

    expect(log[1]).toBe("atrue");
    expect(steps).toEqual(["success/success", "success/success", "failure/failure"]);
    expect(annotations[0]).toMatch(/^error: Repository path '.*outside' is not under '.*hello'/);
  });

  it("clears the folder first, unless it is a repository and `clean` is false", async () => {
    using repository = aRepository();
    const leave = { run: "mkdir -p x && touch built x/.built" };
    const look = { run: "ls -A | tr '\\n' ' '" };

    const { log } = await runIn(repository, [
      leave,
      checkout({ clean: "false" }, "first"),
      look,
      leave,
      checkout({ clean: "false" }, "second"),
      look,
      checkout({}, "third"),
      look,
    ]);

    const tree = ".git README.md docs src ";
    expect(log.filter((line) => line.includes("README.md"))).toEqual([
      tree,
      ".git README.md built docs src x ",
      tree,
    ]);
  });

  it("takes a sparse checkout of folders, and says when patterns are more than that", async () => {
    using repository = aRepository();

    const { log, steps } = await runIn(repository, [
      checkout({ "sparse-checkout": "src/deep\n" }),
      { run: "find . -name .git -prune -o -type f -print | sort; git status --porcelain" },
      checkout({ "sparse-checkout": "*.md", path: "p" }, "patterns"),
    ]);

    expect(log).toContain(
      "sparse-checkout has patterns that are no folders: the whole working tree is taken.",
    );
    expect(log.slice(1, 4)).toEqual(["./README.md", "./src/a", "./src/deep/b"]);
    expect(steps[2]).toBe("success/success");
  });

  it("keeps no credentials, and says so to those who gave some", async () => {
    using repository = aRepository();
    const said = "No credentials are kept in the repository: the working tree needs none.";

    const { log } = await runIn(repository, [
      checkout({ token: "0wn-t0ken" }),
      checkout({ token: "t0ken", path: "b" }, "b"),
      checkout({ token: "0wn-t0ken", "persist-credentials": "false", path: "c" }, "c"),
      { run: "grep -r t0ken . || echo none" },
    ]);

    expect(log.filter((line) => line === said)).toHaveLength(1);
    expect(log.at(-1)).toBe("none");
  });

  it("takes as many commits as asked for, and is at the commit where that is named", async () => {
    using repository = aRepository();
    const sha = repository.commit("Second");

    const { log } = await runIn(Object.assign(repository, { sha }), [
      checkout({ "fetch-depth": "0", ref: sha }),
      { run: "git rev-list --count HEAD; git symbolic-ref -q HEAD || echo detached" },
    ]);

    expect(log.slice(1)).toEqual(["2", "detached"]);
  });

  it("says what is missing where nothing can be unpacked", async () => {
    using repository = aRepository();

    const { annotations } = await runIn(repository, [checkout()], {
      async openPlace(request, options) {
        const { unpack: _, ...place } = await openLocalPlace(request, {
          ...options,
          env: process.env,
        });
        return place;
      },
    });

    expect(annotations[0]).toMatch(/^error: The working tree cannot be brought to where this job/);
  });

  it("says why the folder cannot be cleared", async () => {
    using repository = aRepository();

    const { annotations } = await runIn(repository, [
      { run: "touch file" },
      checkout({ path: "file/below" }),
    ]);

    expect(annotations[0]).toMatch(/^error: The folder .*file\/below cannot be cleared/);
  });

  it("stops when the job is cancelled while the tree is copied", async () => {
    using repository = aRepository();
    const cancel = new AbortController();
    const tree = treeOf(repository);
    const slow: WorkingTree = {
      ...tree,
      async pack(options: PackOptions) {
        const packed = await tree.pack(options);
        cancel.abort();
        await once(options.signal, "abort");
        return packed;
      },
    };

    const { result, steps, annotations } = await runIn(repository, [checkout()], {
      workingTree: slow,
      signal: cancel.signal,
    });

    expect(result.conclusion).toBe("cancelled");
    expect(steps).toEqual(["cancelled/cancelled"]);
    expect(annotations).toEqual(["error: The operation was canceled."]);
  });

  it("is not copied again when the job is come back to", async () => {
    using repository = aRepository();
    await using home = await aHome();
    let packed = 0;
    const tree = treeOf(repository);
    const workingTree: WorkingTree = {
      ...tree,
      pack(options) {
        packed++;
        return tree.pack(options);
      },
    };
    const output = ex("format('echo {0}; cat README.md', steps.checkout.outputs.commit)");
    const job = aCheckoutJob(repository, [
      checkout(),
      { run: output },
      { run: "echo changed > README.md" },
    ]);
    const checkpoints: Checkpoint[] = [];
    const placeOf = (shell: Shell) => ({ ...home.placeOf(shell), unpack });

    let shellOfFirst: Shell | undefined;
    const died = Promise.withResolvers<void>();
    const first = executeJob(
      job,
      {
        workingTree,
        journal: aJournal([], (checkpoint) => void checkpoints.push(checkpoint)),
        async openPlace(_, { journal }) {
          shellOfFirst = await openShell(home.backend, {
            nonce: home.nonce,
            signal: never,
            journal,
          });
          return placeOf(shellOfFirst);
        },
        report(event) {
          if (event.type === "step_finished" && event.step === 2) died.resolve();
        },
      },
      never,
    ).catch(() => undefined);
    await died.promise;
    const kept = [...checkpoints];
    await shellOfFirst?.[Symbol.asyncDispose]();
    await first;
    repository.write("README.md", "of another time\n");

    const events: JobEvent[] = [];
    const result = await executeJob(
      job,
      {
        workingTree,
        journal: aJournal(kept),
        async openPlace(_, { journal }) {
          const options = { nonce: home.nonce, signal: never, journal, resume: true };
          return placeOf(await openShell(home.backend, options));
        },
        report: (event) => void events.push(event),
      },
      never,
    );

    const log = events.flatMap((event) => (event.type === "log" ? [event.line] : []));
    expect(result.conclusion).toBe("success");
    expect(packed).toBe(1);
    expect(log).toContain(repository.sha);
    expect(log).not.toContain("of another time");
  });
});

async function unpack(tar: NodeJS.ReadableStream, folder: string): Promise<void> {
  const child = spawn("tar", ["-xf", "-", "-C", folder], { stdio: ["pipe", "ignore", "inherit"] });
  const ended = once(child, "close");
  await pipeline(tar, child.stdin);
  await ended;
}

describe("whether a checkout is the repository's own", () => {
  const sha = "a".repeat(40);
  const tree = treeOf({ root: "/", git: () => "" }, { sha });
  const github = {
    repository: "octo/hello",
    server_url: "https://github.example",
    sha,
    ref: "refs/heads/main",
    ref_name: "main",
    head_ref: "",
  };
  const isOwn = (uses: string, inputs: { [name: string]: string }, workingTree?: WorkingTree) =>
    isOwnCheckout(parseActionReference(uses, undefined), inputs, { workingTree, github });

  it.each([
    [{}, true],
    [{ repository: "Octo/Hello" }, true],
    [{ repository: "octo/other" }, false],
    [{ ref: "main" }, true],
    [{ REF: " refs/heads/main " }, true],
    [{ ref: sha }, true],
    [{ ref: "v1" }, false],
    [{ ref: "main", repository: "octo/other" }, false],
    [{ "github-server-url": "https://github.example/" }, true],
    [{ "github-server-url": "https://elsewhere.example" }, false],
  ])("%j: %s", (inputs, expected) => {
    expect(isOwn("actions/checkout@v4", inputs as { [name: string]: string }, tree)).toBe(expected);
  });

  it("depends on the action, of any version, and on there being a working tree", () => {
    const own = ["Actions/Checkout@0123", "actions/checkout@main", "actions/checkout/sub@v4"];

    expect(own.map((uses) => isOwn(uses, {}, tree))).toEqual([true, true, false]);
    expect(isOwn("./checkout", {}, tree)).toBe(false);
    expect(isOwn("actions/checkout@v4", {})).toBe(false);
  });
});
