import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { isNativeError } from "node:util/types";
import { BerthError } from "../../runner/errors.ts";

export type SafeGit = {
  /**
   * What git prints.
   *
   * @throws {BerthError} `WORKING_TREE_UNREADABLE` with git's own words, also for exit codes that are only an answer.
   */
  run(args: readonly string[], input?: string): Promise<Buffer>;
  /** The same without the last line end; `undefined` for an exit code other than 0. */
  ask(...args: readonly string[]): Promise<string | undefined>;
};

type SafeGitOptions = {
  /** A `.git` folder, or the file that names it. */
  readonly gitDir: string;
  /** Absent for a bare repository. */
  readonly workTree?: string;
  /** More configuration, which wins over the repository's. */
  readonly config?: { readonly [key: string]: string };
  /** Reads neither this user's nor this machine's configuration. */
  readonly isPlain?: boolean;
  readonly signal: AbortSignal;
};

/**
 * Git for reading a repository that nobody vouches for: nothing that its configuration names is run, nothing is fetched, nothing is
 * written, and it cannot say that its working tree is elsewhere.
 */
export function safeGit({ gitDir, workTree, config, isPlain, signal }: SafeGitOptions): SafeGit {
  const own = Object.fromEntries(
    // A hook that started us speaks of its own repository.
    Object.entries(process.env).filter(([name]) => !name.startsWith("GIT_")),
  );
  const env = {
    ...own,
    ...FIXED_ENV,
    ...(isPlain ? { GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_NOSYSTEM: "1" } : {}),
    ...configEnv({ ...HARMLESS, ...config }),
    GIT_DIR: gitDir,
    ...(workTree === undefined ? {} : { GIT_WORK_TREE: workTree }),
  };
  const folder = workTree ?? gitDir;

  async function run(args: readonly string[], input = ""): Promise<Buffer> {
    const options = {
      cwd: workTree,
      env,
      signal,
      maxBuffer: Infinity,
      encoding: "buffer",
    } as const;
    const running = promisify(execFile)("git", args, options);
    running.child.stdin?.on("error", () => undefined); // it ended before it read all; its exit code says why
    running.child.stdin?.end(input);
    try {
      return (await running).stdout;
    } catch (cause) {
      signal.throwIfAborted();
      throw gitFailed(args, folder, cause);
    }
  }

  return {
    run,
    async ask(...args) {
      try {
        return (await run(args)).toString().replace(/\n$/, "");
      } catch (error) {
        if (error instanceof BerthError && isExitCode(error.cause)) return undefined;
        throw error;
      }
    },
  };
}

const FIXED_ENV = {
  LC_ALL: "C.UTF-8",
  GIT_OPTIONAL_LOCKS: "0",
  GIT_TERMINAL_PROMPT: "0",
  GIT_NO_REPLACE_OBJECTS: "1",
  // A partial clone would fetch what it lacks, with the programs that its configuration names.
  GIT_NO_LAZY_FETCH: "1",
  GIT_ALLOW_PROTOCOL: "file",
};

const HARMLESS = {
  "core.fsmonitor": "",
  "core.hooksPath": "/dev/null",
  "core.sshCommand": "false",
  "core.logAllRefUpdates": "false",
  "submodule.recurse": "false",
  "gc.auto": "0",
  "maintenance.auto": "false",
};

/** As variables, since a key with `=` in it could not be given as an argument. */
function configEnv(config: { readonly [key: string]: string }): { [name: string]: string } {
  const entries = Object.entries(config).flatMap(([key, value], index) => [
    [`GIT_CONFIG_KEY_${index}`, key],
    [`GIT_CONFIG_VALUE_${index}`, value],
  ]);
  return { ...Object.fromEntries(entries), GIT_CONFIG_COUNT: String(entries.length / 2) };
}

/** The configuration that keeps a repository's filters (such as Git LFS) from being run, and their names. */
export async function withoutFilters(
  git: SafeGit,
): Promise<{ names: string[]; config: { [key: string]: string } }> {
  const keys = await git.ask("config", "-z", "--name-only", "--get-regexp", "^filter\\.");
  const found = (keys ?? "").split("\0").flatMap((key) => key.match(FILTER_KEY)?.[1] ?? []);
  const names = [...new Set(found)];
  const config = names.flatMap((name) => [
    [`filter.${name}.clean`, ""],
    [`filter.${name}.process`, ""],
    [`filter.${name}.required`, "false"],
  ]);
  return { names, config: Object.fromEntries(config) };
}

const FILTER_KEY = /^filter\.(.+)\.[a-z]+$/is;

function isExitCode(cause: unknown): boolean {
  return isNativeError(cause) && "code" in cause && typeof cause.code === "number";
}

function gitFailed(args: readonly string[], folder: string, cause: unknown): BerthError {
  const isMissing = isNativeError(cause) && "code" in cause && cause.code === "ENOENT";
  if (isMissing) {
    return new BerthError("WORKING_TREE_UNREADABLE", {
      message: "The working tree cannot be read: there is no git on this machine's PATH.",
      remedy: "Install git; it says which files belong to the repository.",
      cause,
    });
  }
  const said = isNativeError(cause) && "stderr" in cause ? String(cause.stderr).trim() : "";
  return new BerthError("WORKING_TREE_UNREADABLE", {
    message: `The working tree in ${folder} cannot be read: git ${args[0]} says: ${said || String(cause)}`,
    remedy: `Run "git -C ${folder} fsck" to see what is wrong with the repository.`,
    cause,
  });
}
