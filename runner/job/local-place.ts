import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { localBackend } from "../shell/local-backend.ts";
import { openShell } from "../shell/open-shell.ts";
import type { Journal } from "../shell/shell.ts";
import type { JobPlaceRequest } from "./container-spec.ts";
import type { JobPlace } from "./execute-job.ts";
import { placeActions, unpackHere } from "./local-files.ts";
import { putNodeInToolCache } from "./local-tool-cache.ts";

export type LocalPlaceOptions = {
  /** What steps inherit, such as this process's own environment. */
  readonly env: { readonly [name: string]: string | undefined };
  /** Where its own folder is made, with all that belongs to its shell; the system's folder for temporary files when left out. */
  readonly parent?: string;
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
  const { signal, journal, shell: program, graceMs, parent } = options;
  const where = { host: hostname(), image: "local" };
  options.placed?.(where);
  options.progress?.("This job runs on this machine itself, which isolates nothing.");
  const folder = await mkdtemp(join(parent ?? tmpdir(), "berth-job-"));
  const paths = {
    workspace: join(folder, "w", repository, repository),
    temp: join(folder, "w", "_temp"),
    actions: join(folder, "w", "_actions"),
    toolCache: join(folder, "t"),
    home: join(folder, "home"),
  };
  await mkdir(paths.home);
  const nonce = randomBytes(8).toString("hex");
  const backend = localBackend({
    nonce,
    env: { ...inheritable(options.env), HOME: paths.home },
    cwd: folder,
    ...(parent ? { parent: folder } : {}),
    ...(program ? { shell: program } : {}),
  });
  let isAbandoned = false;

  async function dispose(): Promise<void> {
    if (isAbandoned) return;
    await backend[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  }

  try {
    await Promise.all([
      placeActions(actions, paths.actions),
      putNodeInToolCache(paths.toolCache, options.env),
    ]);
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
      unpack: unpackHere,
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
