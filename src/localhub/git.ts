import { spawn } from "node:child_process";
import { buffer, text } from "node:stream/consumers";
import { BerthError } from "../../runner/errors.ts";

/** What git answered. */
export type GitAnswer = { readonly code: number; readonly stdout: Buffer; readonly stderr: string };

/** Settings of the person or machine must not leak in; the hub's repositories behave the same everywhere. */
export const GIT_ENV: { readonly [name: string]: string } = {
  PATH: process.env.PATH ?? "/usr/bin:/bin",
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_TERMINAL_PROMPT: "0",
  GIT_LITERAL_PATHSPECS: "1",
  LC_ALL: "C",
  TZ: "UTC",
};

/**
 * Runs git in a bare repository and hands back what it said, whatever its exit code.
 *
 * @throws {BerthError} `SETUP_FAILED` where there is no git.
 */
export async function askGit(
  folder: string,
  args: readonly string[],
  options: { readonly input?: string | Buffer; readonly env?: { [name: string]: string } } = {},
): Promise<GitAnswer> {
  const child = spawn("git", args, {
    cwd: folder,
    env: { ...GIT_ENV, ...options.env },
    stdio: ["pipe", "pipe", "pipe"],
  });
  const exit = new Promise<number>((resolve, reject) => {
    child.once("error", (error: NodeJS.ErrnoException) =>
      reject(error.code === "ENOENT" ? noGit(error) : error),
    );
    child.once("close", (code) => resolve(code ?? -1));
  });
  child.stdin.on("error", () => {}); // git may end without reading everything
  child.stdin.end(options.input ?? "");
  const [code, stdout, stderr] = await Promise.all([
    exit,
    buffer(child.stdout),
    text(child.stderr),
  ]);
  return { code, stdout, stderr };
}

/**
 * Runs git and hands back its output without the last line's end.
 *
 * @throws {Error} With git's own words when it fails.
 */
export async function git(
  folder: string,
  args: readonly string[],
  options: { readonly input?: string | Buffer; readonly env?: { [name: string]: string } } = {},
): Promise<string> {
  const { code, stdout, stderr } = await askGit(folder, args, options);
  if (code !== 0) throw new Error(`git ${args[0]} failed (${code}): ${stderr.trim()}`);
  return stdout.toString().replace(/\n$/, "");
}

function noGit(cause: unknown): BerthError {
  return new BerthError("SETUP_FAILED", {
    message:
      "There is no git on the PATH, which the GitHub on localhost keeps its repositories with.",
    remedy: "Install git 2.38 or later.",
    cause,
  });
}
