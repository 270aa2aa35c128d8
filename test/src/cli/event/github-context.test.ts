import { basename } from "node:path";
import { describe, expect, it } from "@jest/globals";
import { eventPayload, parseEventFile } from "../../../../src/cli/event/event-payload.ts";
import { githubContext } from "../../../../src/cli/event/github-context.ts";
import { readRepository } from "../../../../src/cli/event/read-repository.ts";
import { type TemporaryRepository, temporaryRepository } from "../temporary-repository.ts";

const IDENTITY = {
  runId: "7",
  runNumber: 3,
  workflowFile: ".github/workflows/ci.yml",
  workflow: "CI",
};

describe("a push", () => {
  it("is about the commit that is checked out and what came before it", async () => {
    using repository = temporaryRepository();
    const before = repository.commit("One");
    const after = repository.commit("Two\n\nWith a body.");
    repository.git("remote", "add", "origin", "git@github.com:octo/cat.git");

    const github = await contextOf(repository, "push");

    expect(github).toMatchObject({
      actor: "ada",
      ref: "refs/heads/main",
      ref_name: "main",
      ref_type: "branch",
      sha: after,
      repository: "octo/cat",
      repository_owner: "octo",
      repositoryUrl: "git://github.com/octo/cat.git",
      server_url: "https://github.com",
      api_url: "https://api.github.com",
      graphql_url: "https://api.github.com/graphql",
      base_ref: "",
      head_ref: "",
      run_id: "7",
      run_number: "3",
      run_attempt: "1",
      workflow: "CI",
      workflow_ref: "octo/cat/.github/workflows/ci.yml@refs/heads/main",
      workflow_sha: after,
      event: {
        ref: "refs/heads/main",
        before,
        after,
        head_commit: {
          id: after,
          message: "Two\n\nWith a body.",
          author: { name: "Ada", email: "ada@example.org" },
          timestamp: "2026-01-02T03:04:05Z",
        },
        repository: { full_name: "octo/cat", default_branch: "main" },
        sender: { login: "ada" },
      },
    });
  });

  it("is one of a tag where HEAD is detached at a tag", async () => {
    using repository = temporaryRepository();
    repository.commit("One");
    repository.git("tag", "v1.0.0");
    repository.git("checkout", "--quiet", "v1.0.0");

    const github = await contextOf(repository, "push");

    expect(github).toMatchObject({ ref: "refs/tags/v1.0.0", ref_name: "v1.0.0", ref_type: "tag" });
  });

  it("starts at the upstream when several commits have not been pushed", async () => {
    using remote = temporaryRepository();
    const pushed = remote.commit("One");
    using repository = temporaryRepository();
    repository.git("pull", "--quiet", remote.root, "main");
    repository.git("remote", "add", "up", remote.root);
    repository.git("fetch", "--quiet", "up");
    repository.git("branch", "--quiet", "--set-upstream-to=up/main");
    repository.write("a.txt", "a");
    repository.commit("Two");
    repository.write("b.txt", "b");
    repository.commit("Three");

    const facts = await readRepository(repository.root);

    expect(facts.before).toBe(pushed);
    expect((await facts.changedSince(facts.before))?.sort()).toEqual(["a.txt", "b.txt"]);
  });

  it("counts uncommitted files as changed, but not ignored ones", async () => {
    using repository = temporaryRepository({ ".gitignore": "*.log\n", "a b.txt": "1" });
    repository.commit("One");
    repository.commit("Two");
    repository.write("a b.txt", "2");
    repository.write("new/é.txt", "");
    repository.write("x.log", "");

    const facts = await readRepository(repository.root);

    expect(await facts.changedSince(facts.before)).toEqual(["a b.txt", "new/é.txt"]);
  });
});

it("describes a pull request from the branch to the default branch", async () => {
  using repository = temporaryRepository();
  const base = repository.commit("One");
  repository.git("checkout", "--quiet", "-b", "topic/x");
  const head = repository.commit("Add x");

  const github = await contextOf(repository, "pull_request");

  expect(github).toMatchObject({
    ref: "refs/pull/1/merge",
    ref_name: "1/merge",
    sha: head,
    base_ref: "main",
    head_ref: "topic/x",
    event: {
      action: "opened",
      number: 1,
      pull_request: {
        title: "Add x",
        head: { ref: "topic/x", sha: head },
        base: { ref: "main", sha: base },
      },
    },
  });
});

it("lets a given payload replace fields and keep the rest", async () => {
  using repository = temporaryRepository();
  const sha = repository.commit("One");
  const given = { pull_request: { head: { ref: "theirs" }, base: { ref: "next" } }, number: 12 };

  const github = await contextOf(repository, "pull_request", { given });

  expect(github).toMatchObject({
    ref: "refs/pull/12/merge",
    head_ref: "theirs",
    base_ref: "next",
    event: { pull_request: { head: { ref: "theirs", sha } } },
  });
});

it("takes ref and commit of a push from a given payload", async () => {
  using repository = temporaryRepository();
  repository.commit("One");
  const given = { ref: "refs/tags/v2", after: "a".repeat(40) };

  const github = await contextOf(repository, "push", { given });

  expect(github).toMatchObject({ ref: "refs/tags/v2", ref_type: "tag", sha: "a".repeat(40) });
});

it("is about the newest tag when a release is published", async () => {
  using repository = temporaryRepository();
  repository.commit("One");
  repository.git("tag", "v1.2.3");
  repository.commit("Two");

  const github = await contextOf(repository, "release");

  expect(github).toMatchObject({
    ref: "refs/tags/v1.2.3",
    event: { action: "published", release: { tag_name: "v1.2.3" } },
  });
});

it("carries the inputs of workflow_dispatch as strings", async () => {
  using repository = temporaryRepository();

  const github = await contextOf(repository, "workflow_dispatch", { inputs: { debug: "true" } });

  expect(github).toMatchObject({ event: { inputs: { debug: "true" }, ref: "refs/heads/main" } });
});

it("works before the first commit", async () => {
  using repository = temporaryRepository({ "a.txt": "" });

  const github = await contextOf(repository, "push");

  expect(github).toMatchObject({
    sha: "0".repeat(40),
    ref: "refs/heads/main",
    repository: `local/${basename(repository.root)}`,
    event: { head_commit: null, commits: [] },
  });
});

it("works without git", async () => {
  using folder = temporaryRepository(
    { ".github/workflows/ci.yml": "", "deep/down/x": "" },
    { git: false },
  );

  const facts = await readRepository(`${folder.root}/deep/down`);

  expect(facts).toMatchObject({
    root: folder.root,
    repository: `local/${basename(folder.root)}`,
    ref: "refs/heads/main",
  });
  expect(await facts.changedSince(facts.before)).toBeUndefined();
});

it("speaks to an enterprise server when it is told its address", async () => {
  using repository = temporaryRepository();

  const github = await contextOf(repository, "push", { githubUrl: "https://ghes.local/" });

  expect(github).toMatchObject({
    server_url: "https://ghes.local",
    api_url: "https://ghes.local/api/v3",
    graphql_url: "https://ghes.local/api/graphql",
  });
});

it("refuses an event file that is not a JSON object", () => {
  expect(() => parseEventFile("{", "e.json")).toThrow(/^e.json is not JSON: /);
  expect(() => parseEventFile("[1]", "e.json")).toThrow("e.json does not hold a JSON object.");
  expect(parseEventFile('{"a":{"__proto__":1}}', "e.json").a).toBeDefined();
});

async function contextOf(
  repository: TemporaryRepository,
  eventName: string,
  {
    given = {},
    inputs = {},
    ...urls
  }: { given?: object; inputs?: object; githubUrl?: string } = {},
) {
  const facts = await readRepository(repository.root);
  const request = {
    name: eventName,
    given: given as { [key: string]: string },
    actor: "ada",
    inputs: inputs as { [key: string]: string },
  };
  const event = eventPayload(request, facts);
  return githubContext({ eventName, event, actor: "ada", ...urls }, IDENTITY, facts);
}
