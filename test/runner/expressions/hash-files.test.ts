import { createHash } from "node:crypto";
import { describe, expect, it } from "@jest/globals";
import {
  combineDigests,
  readHashFilesArguments,
  selectFilesToHash,
} from "../../../runner/expressions/hash-files.ts";

const PLACES = { workspace: "/__w/repo/repo", home: "/home/runner" };
const FILES = [
  "package-lock.json",
  ".npmrc",
  "src/b.ts",
  "src/a.ts",
  "src/.hidden/c.ts",
  "src/a/z.ts",
  "sub/package-lock.json",
  "sub/node_modules/x/package-lock.json",
  "odd/[x]/f",
  "odd/x/f",
  "{a,b}",
];

function select(...patterns: string[]): string[] {
  const files = FILES.map((file) => `${PLACES.workspace}/${file}`);
  const chosen = selectFilesToHash([...patterns], [...files, "/etc/passwd"], PLACES);
  return chosen.map((file) => file.slice(PLACES.workspace.length + 1));
}

describe("the files hashFiles takes", () => {
  it.each<[string, string[], string[]]>([
    ["a plain path", ["package-lock.json"], ["package-lock.json"]],
    ["a path with ./", ["./package-lock.json"], ["package-lock.json"]],
    ["an absolute path", ["/__w/repo/repo/src/a.ts"], ["src/a.ts"]],
    [
      "** at any depth, the root included",
      ["**/package-lock.json"],
      ["package-lock.json", "sub/node_modules/x/package-lock.json", "sub/package-lock.json"],
    ],
    ["* within one folder", ["src/*.ts"], ["src/a.ts", "src/b.ts"]],
    ["? for one character", ["src/?.ts"], ["src/a.ts", "src/b.ts"]],
    ["[…] for a set", ["src/[bx].ts"], ["src/b.ts"]],
    ["[…] for itself, escaped", ["odd/[[]x]/f"], ["odd/[x]/f"]],
    ["braces literally", ["{a,b}"], ["{a,b}"]],
    ["dot files without being asked", [".*rc", "src/**/c.ts"], [".npmrc", "src/.hidden/c.ts"]],
    [
      "all below a folder, depth first by name",
      ["src"],
      ["src/.hidden/c.ts", "src/a/z.ts", "src/a.ts", "src/b.ts"],
    ],
    ["all below a folder given with a slash", ["src/a/"], ["src/a/z.ts"]],
    ["no file where a folder is asked for", ["package-lock.json/"], []],
    [
      "what no later pattern takes away",
      ["**/package-lock.json", "!**/node_modules/**"],
      ["package-lock.json", "sub/package-lock.json"],
    ],
    [
      "what a later pattern brings back",
      ["src", "!src/*.ts", "src/b.ts"],
      ["src/.hidden/c.ts", "src/a/z.ts", "src/b.ts"],
    ],
    ["nothing after a mere negation", ["!src"], []],
    ["two negations as none", ["!!src/a.ts"], ["src/a.ts"]],
    [
      "folders in order of appearance",
      ["sub/*.json", "package-lock.json"],
      ["sub/package-lock.json", "package-lock.json"],
    ],
    [
      "each file once",
      ["src/a.ts", "src"],
      ["src/.hidden/c.ts", "src/a/z.ts", "src/a.ts", "src/b.ts"],
    ],
    ["nothing outside the workspace", ["/etc/passwd", "~/x"], []],
    [
      "everything",
      ["."],
      [
        ".npmrc",
        "odd/[x]/f",
        "odd/x/f",
        "package-lock.json",
        "src/.hidden/c.ts",
        "src/a/z.ts",
        "src/a.ts",
        "src/b.ts",
        "sub/node_modules/x/package-lock.json",
        "sub/package-lock.json",
        "{a,b}",
      ],
    ],
  ])("are %s", (_title, patterns, files) => {
    expect(select(...patterns)).toEqual(files);
  });

  it("cannot be named with .. in the middle", () => {
    expect(() => select("src/../x")).toThrow("Relative pathing '.' and '..' is not allowed");
  });

  it("are found below ~ when the workspace lies there", () => {
    const files = ["/home/runner/w/f"];

    expect(
      selectFilesToHash(["~/w/f"], files, { workspace: "/home/runner/w", home: "/home/runner" }),
    ).toEqual(files);
  });
});

it("reads the arguments of hashFiles: an option first, several lines each, comments", () => {
  expect(readHashFilesArguments(["--follow-symbolic-links", "a\n# no\n  b ", "", "!c"])).toEqual({
    followSymbolicLinks: true,
    patterns: ["a", "b", "!c"],
  });
});

it("combines digests in binary", () => {
  const digest = createHash("sha256").update("x").digest();
  const both = createHash("sha256")
    .update(Buffer.concat([digest, digest]))
    .digest("hex");

  expect(combineDigests([digest.toString("hex"), digest.toString("hex")])).toBe(both);
  expect(combineDigests([])).toBe("");
});
