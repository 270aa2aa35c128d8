import { execFile } from "node:child_process";
import { promisify } from "node:util";

const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;
const TIMEOUT_MS = 30_000;

/** Asks git in a folder; what it prints without the last line end, or `undefined` when it cannot say, or is not there. */
export type AskGit = (...args: readonly string[]) => Promise<string | undefined>;

export function askGitIn(folder: string): AskGit {
  return async (...args) => {
    try {
      const { stdout } = await promisify(execFile)("git", args, {
        cwd: folder,
        maxBuffer: MAX_OUTPUT_BYTES,
        timeout: TIMEOUT_MS,
        // Reading must not take the index lock from the user's own git.
        env: { ...process.env, GIT_OPTIONAL_LOCKS: "0", LC_ALL: "C.UTF-8" },
      });
      return stdout.replace(/\n$/, "");
    } catch {
      return undefined; // no git, no repository, no such ref: all mean that git has nothing to say
    }
  };
}
