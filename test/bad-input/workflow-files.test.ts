import { execFileSync } from "node:child_process";
import { mkdirSync, symlinkSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "@jest/globals";
import { runBerth } from "../src/cli/run-berth.ts";
import { temporaryRepository } from "../src/cli/temporary-repository.ts";

it.each<{ title: string; says: string; text?: string; make?: (path: string) => void }>([
  { title: "a folder", says: "it is a folder", make: (path) => mkdirSync(path) },
  {
    title: "a pipe that nobody writes to",
    says: "it is not a regular file",
    make: (path) => void execFileSync("mkfifo", [path]),
  },
  {
    title: "a device without end",
    says: "it is not a regular file",
    make: (path) => symlinkSync("/dev/zero", path),
  },
  {
    title: "a link to itself",
    says: "cannot be read: ",
    make: (path) => symlinkSync("ci.yml", path),
  },
  {
    title: "a file of gigabytes",
    text: "on: push\n",
    says: "it has 4000000000 bytes",
    make: (path) => truncateSync(path, 4_000_000_000),
  },
  { title: "UTF-16", text: "\ufeffo\0n\0", says: "it is not UTF-8 text" },
])("refuses a workflow file that is $title", async ({ says, text, make }) => {
  const path = ".github/workflows/ci.yml";
  using repository = temporaryRepository({
    ".github/workflows/.keep": "",
    ...(text && { [path]: text }),
  });
  make?.(join(repository.root, path));

  const ended = await runBerth(["run"], { cwd: repository.root });

  expect(ended).toMatchObject({ code: 2, stdout: "" });
  expect(ended.stderr).toContain(says);
  expect(ended.stderr).not.toMatch(/^\s+at /m);
});
