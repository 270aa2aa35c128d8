import { describe, expect, it } from "@jest/globals";
import {
  explainBadUses,
  parseActionReference,
  printReference,
  repositoryKey,
} from "../../../runner/actions/parse-reference.ts";

const COMMIT = "0123456789abcdef0123456789abcdef01234567";
const repository = (owner: string, repo: string, path: string, ref: string) => ({
  kind: "repository",
  owner,
  repo,
  path,
  ref,
});

describe("uses:", () => {
  it.each<[string, object]>([
    ["actions/checkout@v4", repository("actions", "checkout", "", "v4")],
    [`actions/checkout@${COMMIT}`, repository("actions", "checkout", "", COMMIT)],
    ["o/r/a/b@main", repository("o", "r", "a/b", "main")],
    ["o\\r\\a\\b@main", repository("o", "r", "a/b", "main")],
    ["/o//r/./a/@v1", repository("o", "r", "a", "v1")],
    ["o/r@feature/new/x", repository("o", "r", "", "feature/new/x")],
    ["o/r@refs/heads/main", repository("o", "r", "", "refs/heads/main")],
    ["my-org_1/.github@v1.2.3-rc.1", repository("my-org_1", ".github", "", "v1.2.3-rc.1")],
    ["./", { kind: "local", path: "./" }],
    ["./.github/actions/x", { kind: "local", path: "./.github/actions/x" }],
    ["./../other@x", { kind: "local", path: "./../other@x" }],
    [".\\a", { kind: "local", path: ".\\a" }],
    ["docker://alpine", { kind: "image", image: "alpine" }],
    ["docker://ghcr.io/o/i:1@sha256:ab", { kind: "image", image: "ghcr.io/o/i:1@sha256:ab" }],
  ])("%s", (uses, reference) => {
    expect(parseActionReference(uses)).toEqual(reference);
    expect(explainBadUses(uses)).toBeUndefined();
  });

  it("$/path is in the repository and at the commit of the file that says so", () => {
    const containing = {
      owner: "o",
      repo: "r",
      ref: COMMIT,
      path: "elsewhere",
      kind: "repository",
    };

    expect(parseActionReference("$/a/b", containing)).toEqual(repository("o", "r", "a/b", COMMIT));
    expect(() => parseActionReference("$/a/b")).toThrow("'$/a/b' means the repository and commit");
    expect(explainBadUses("$/a@b")).toBeUndefined();
  });

  it.each([
    "",
    ".",
    "..",
    "../x",
    "../x@v1",
    "checkout@v4",
    "actions/checkout",
    "a/b@",
    "a/b@c@d",
    "@v1",
    "a/@v1",
    "/@v1",
    "./@v1/x@v2".slice(1),
    "a/..@v1",
    "a b/c@v1",
    " a/b@v1",
    "a/b c@v1",
    "DOCKER://alpine",
    "https://github.com/a/b@v1",
    "$/",
    "$",
    "a/b@v1\n",
    "a/b\0@v1",
  ])("%j is refused in GitHub's words", (uses) => {
    const message = `Expected format {org}/{repo}[/path]@ref. Actual '${uses}'`;

    expect(explainBadUses(uses)).toBe(message);
    expect(() => parseActionReference(uses)).toThrow(
      expect.objectContaining({ code: "ACTION_INVALID", message }),
    );
  });

  it.each([
    ["docker://", "'docker://' names no image"],
    ["docker://  ", "names no image"],
    ["a/b/../../c@v1", "leaves its repository"],
    ["a/b/..@v1", "leaves its repository"],
    ["$/../c", "leaves its repository"],
    ["a/b@..", "'..' in 'a/b@..' cannot be a branch, a tag or a commit"],
    ["a/b@../../../etc", "cannot be a branch"],
    ["a/b@/etc", "cannot be a branch"],
    ["a/b@x//y", "cannot be a branch"],
    ["a/b@x/", "cannot be a branch"],
    ["a/b@.x", "cannot be a branch"],
    ["a/b@x/.y", "cannot be a branch"],
    ["a/b@x.lock", "cannot be a branch"],
    ["a/b@x.", "cannot be a branch"],
    ["a/b@x y", "cannot be a branch"],
    ["a/b@x:y", "cannot be a branch"],
    ["a/b@${{ github.ref }}", "cannot be a branch"],
    ["a/b@v*", "cannot be a branch"],
    ["a/b@x\\y", "cannot be a branch"],
  ])("%s is refused: %s", (uses, message) => {
    expect(() => parseActionReference(uses)).toThrow(message);
  });
});

it("names are the same whatever their case, refs are not", () => {
  const key = repositoryKey({ owner: "Actions", repo: "Checkout", ref: "V4" });

  expect(key).toBe(repositoryKey({ owner: "actions", repo: "checkout", ref: "V4" }));
  expect(key).not.toBe(repositoryKey({ owner: "actions", repo: "checkout", ref: "v4" }));
});

it.each(["o/r@v1", "o/r/a/b@x/y"])("%s is printed as it was written", (uses) => {
  const reference = parseActionReference(uses);

  expect(reference.kind === "repository" && printReference(reference)).toBe(uses);
});
