import { expect, it } from "@jest/globals";
import { readDockerIgnore } from "../../../src/containers/docker-ignore.ts";

it.each([
  ["a file by its name", "secret.txt", ["secret.txt"], ["other/secret.txt", "secret.txt2"]],
  [
    "a folder with all in it",
    "node_modules",
    ["node_modules", "node_modules/a/b.js"],
    ["src/node_modules"],
  ],
  ["what a star stands for", "*.log", ["a.log", ".log"], ["a/b.log", "a.log.gz"]],
  ["one character", "a?c", ["abc"], ["ac", "a/c"]],
  ["a folder at any depth", "**/cache", ["cache", "a/cache", "a/b/cache/x"], ["a/cached"]],
  ["all below a folder", "a/**", ["a/b", "a/b/c"], ["b/a"]],
  ["two stars between folders", "a/**/b", ["a/b", "a/x/y/b"], ["a/xb", "b"]],
  ["a set of characters", "[a-c]1", ["a1", "c1"], ["d1", "/1"]],
  ["all but a set", "[^a]1", ["b1"], ["a1"]],
  ["a set that nothing closes, to the letter", "a[b", ["a[b"], ["ab"]],
  ["an escaped star", "\\*", ["*"], ["a"]],
  ["a dot to the letter", "a.b", ["a.b"], ["axb"]],
  ["paths as they are meant", "/./a//b/../c/", ["a/c", "a/c/d"], ["a/b"]],
  ["the last that matches", "*.md\n!README.md\nREADME-*", ["a.md", "README-x"], ["README.md"]],
  [
    "a file of an ignored folder that is wanted",
    "dist\n!dist/keep",
    ["dist", "dist/a"],
    ["dist/keep"],
  ],
  ["nothing for comments and empty lines", "\uFEFF# a\n\n  \n.\n/\n", [], ["a", "# a", "."]],
])("ignores %s", (_what, text, ignored, sent) => {
  const { ignores } = readDockerIgnore(text);

  expect(ignored.filter((name) => !ignores(name))).toEqual([]);
  expect(sent.filter(ignores)).toEqual([]);
});

it("is done with patterns that a regular expression would never finish", () => {
  const { ignores } = readDockerIgnore(`${"*a".repeat(100)}*b\n${"**/a".repeat(100)}b`);

  expect(ignores("a".repeat(250))).toBe(false);
});

it("gives up in words where even that would be too much", () => {
  const { ignores } = readDockerIgnore(`${"*a".repeat(1000)}*b`, 100_000);

  expect(() => ignores("a".repeat(4000))).toThrow(
    expect.objectContaining({ code: "ACTION_BUILD_FAILED" }),
  );
});
