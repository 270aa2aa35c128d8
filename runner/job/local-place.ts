import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { cp, mkdir, mkdtemp, rm } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import type { ActionRepository } from "../actions/action-source.ts";
import { BerthError } from "../errors.ts";
import { localBackend } from "../shell/local-backend.ts";
import { openShell } from "../shell/open-shell.ts";
import type { Journal } from "../shell/shell.ts";
import type { JobPlaceRequest } from "./container-spec.ts";
import type { JobPlace } from "./execute-job.ts";

export type LocalPlaceOptions = {
  /** What steps inherit, such as this process's own environment. */
  readonly env: { readonly [name: string]: string | undefined };
  readonly signal: AbortSignal;
  readonly journal?: Journal | undefined;
  /** The shell's program and first arguments; `/bin/sh` when left out. */
  readonly shell?: readonly string[];
  /** How long a cancelled command has after INT, and then after TERM, in milliseconds. */
  readonly graceMs?: readonly [int: number, term: number];
  progress?(line: string): void;
  placed?(where: { readonly host: string; readonly image: string }): void;
};

/**
 * Makes a place for a job on this machine: a new folder, a shell with it as its world. It isolates nothing; a `container:` is
 * not made. Disposing of it ends every process in it and removes the folder.
 */
export async function openLocalPlace(
  { repository, actions = [] }: JobPlaceRequest,
  options: LocalPlaceOptions,
): Promise<JobPlace> {
  const { signal, journal, shell: program, graceMs } = options;
  const where = { host: hostname(), image: "local" };
  options.placed?.(where);
  options.progress?.("This job runs on this machine itself, which isolates nothing.");
  const folder = await mkdtemp(join(tmpdir(), "berth-job-"));
  const paths = {
    workspace: join(folder, "w", repository, repository),
    temp: join(folder, "w", "_temp"),
    actions: join(folder, "w", "_actions"),
    toolCache: join(folder, "t"),
    home: join(folder, "home"),
  };
  await mkdir(paths.home);
  const nonce = randomBytes(8).toString("hex");
  await placeActions(actions, paths.actions);
  const backend = localBackend({
    nonce,
    env: { ...inheritable(options.env), HOME: paths.home },
    cwd: folder,
    ...(program ? { shell: program } : {}),
  });
  let isAbandoned = false;

  async function dispose(): Promise<void> {
    if (isAbandoned) return;
    await backend[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  }

  try {
    const shell = await openShell(backend, {
      nonce,
      journal,
      signal,
      ...(graceMs ? { graceMs } : {}),
    });
    return {
      ...where,
      shell,
      paths,
      addActions: (more) => placeActions(more, paths.actions),
      unpack: (tar, folder, until) => unpackHere(tar, folder, until),
      abandon() {
        isAbandoned = true;
      },
      async [Symbol.asyncDispose]() {
        await shell[Symbol.asyncDispose]();
        await dispose();
      },
    };
  } catch (error) {
    await dispose();
    throw error;
  }
}

/** Copies, since nothing here could keep a step from changing what it is given. */
async function placeActions(actions: readonly ActionRepository[], folder: string): Promise<void> {
  for (const { owner, repo, ref, folder: source } of actions) {
    const target = join(folder, owner, repo, ref);
    await cp(source, target, { recursive: true, verbatimSymlinks: true });
  }
}

async function unpackHere(tar: Readable, folder: string, signal: AbortSignal): Promise<void> {
  const child = spawn("tar", ["-xf", "-", "-C", folder], {
    stdio: ["pipe", "ignore", "pipe"],
    signal,
  });
  const problems = text(child.stderr);
  const ended = once(child, "close");
  const [[code], said] = await Promise.all([
    ended,
    problems,
    pipeline(tar, child.stdin, { signal }),
  ]);
  if (code === 0) return;
  throw new BerthError("SETUP_FAILED", {
    message: `Files could not be unpacked into ${folder}: ${said.trim()}`,
    remedy: "See that the disk is not full.",
  });
}

/** Without what a job of GitHub's, in which we may run ourselves, gives to its own steps only. */
function inheritable(env: LocalPlaceOptions["env"]): { [name: string]: string } {
  return Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) =>
      value === undefined || /^(GITHUB|RUNNER|INPUT|STATE|ACTIONS)_/.test(name)
        ? []
        : [[name, value]],
    ),
  );
}
