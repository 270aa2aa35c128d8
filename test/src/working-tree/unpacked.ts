import { execFileSync } from "node:child_process";
import { createWriteStream, mkdirSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import type { PackedTree, PackOptions } from "../../../runner/job/working-tree.ts";
import {
  createWorkingTree,
  type WorkingTreeOptions,
} from "../../../src/working-tree/create-working-tree.ts";
import type { TemporaryRepository } from "../cli/temporary-repository.ts";

/** A working tree as a job finds it. */
export type Unpacked = Disposable &
  PackedTree & {
    readonly folder: string;
    /** What packing told. */
    readonly told: readonly string[];
    git(...args: string[]): string;
    names(): string[];
  };

export type UnpackOptions = Partial<PackOptions> & Partial<WorkingTreeOptions>;

/** Packs a repository's working tree and unpacks it with the machine's own tar. */
export async function unpacked(
  repository: Pick<TemporaryRepository, "root" | "git">,
  options: UnpackOptions = {},
): Promise<Unpacked> {
  const told: string[] = [];
  const tree = treeOf(repository, options);
  const packed = await tree.pack({
    fetchDepth: 1,
    progress: (line) => void told.push(line),
    signal: new AbortController().signal,
    ...options,
    ...(options.ref === undefined ? {} : { ref: options.ref }),
  });
  const scratch = realpathSync(mkdtempSync(join(tmpdir(), "berth-unpacked-")));
  const folder = join(scratch, "tree");
  mkdirSync(folder);
  await pipeline(packed.tar, createWriteStream(join(scratch, "tree.tar")));
  execFileSync("tar", ["-xf", join(scratch, "tree.tar"), "-C", folder, "--no-same-owner"]);
  const run = (command: string, args: string[]) =>
    execFileSync(command, args, {
      cwd: folder,
      env: { PATH: process.env.PATH, HOME: scratch, GIT_CEILING_DIRECTORIES: scratch },
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
    });
  return {
    ...packed,
    folder,
    told,
    git: (...args) => run("git", args).trimEnd(),
    names: () =>
      run("find", [".", "-path", "./.git", "-prune", "-o", "!", "-type", "d", "-print0"])
        .split("\0")
        .filter(Boolean)
        .map((file) => file.slice(2))
        .sort(),
    [Symbol.dispose]: () => rmSync(scratch, { recursive: true, force: true }),
  };
}

export function treeOf(
  { root, git }: Pick<TemporaryRepository, "root" | "git">,
  options: Partial<WorkingTreeOptions> = {},
) {
  const ask = (...args: string[]) => {
    try {
      return git(...args);
    } catch {
      return undefined;
    }
  };
  return createWorkingTree({
    root,
    repository: "octo/hello",
    serverUrl: "https://github.example",
    sha: options.sha ?? ask("rev-parse", "--verify", "--quiet", "HEAD") ?? "0".repeat(40),
    ref: options.ref ?? ask("symbolic-ref", "HEAD") ?? "refs/heads/main",
  });
}
