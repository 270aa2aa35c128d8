import { BerthError } from "../runner/errors.ts";
import { quote } from "../runner/quote.ts";
import type { Engine } from "./containers/connect-engine.ts";
import { freeDisk } from "./containers/free-disk.ts";
import type { MachineShell } from "./hosts/machine-shell.ts";
import type { Log } from "./log.ts";

export type KeepDiskFreeOptions = {
  readonly host: string;
  /** `undefined` where the machine cannot be asked: then nothing is done. */
  readonly shell: MachineShell | undefined;
  readonly keepFreeBytes: number;
  /** Names of images and volumes that jobs need next. */
  readonly needed: ReadonlySet<string>;
  readonly log: Log;
  readonly signal: AbortSignal;
};

/** Below this part of what is to be kept free, a job would only fail half-way. */
const LEAST_PART = 0.1;

/**
 * Sees to it that an engine's disk does not fill up: caches of Berth's own go, those that were not used for longest first.
 *
 * @throws {BerthError} `DISK_FULL` when next to nothing is free all the same.
 */
export async function keepDiskFree(
  { docker }: Engine,
  options: KeepDiskFreeOptions,
): Promise<void> {
  const { host, shell, keepFreeBytes, needed, log, signal } = options;
  if (shell === undefined || keepFreeBytes === 0) return;
  const { DockerRootDir: folder }: { DockerRootDir?: string } = await docker.info();
  const measured = folder === undefined ? undefined : await freeBytesAt(shell, folder, signal);
  if (folder === undefined || measured === undefined) return;

  const { removed, freeBytes } = await freeDisk(docker, {
    ...{ keepFreeBytes, needed, signal },
    freeBytes: async () => (await freeBytesAt(shell, folder, signal)) ?? measured,
  });
  if (removed.length > 0) log.info({ host, removed, freeBytes }, "removed caches: disk is short");
  if (freeBytes >= keepFreeBytes * LEAST_PART) return;
  const freeMib = Math.floor(freeBytes / 1024 ** 2);
  throw new BerthError("DISK_FULL", {
    message: `Only ${freeMib} MiB are free on the disk of the engine of ${host} (${folder}).`,
    remedy: `Free some there: \`docker system df\` shows what takes it. keepFreeDisk of the host says how much is wanted.`,
  });
}

/** `undefined` where that cannot be found out: the folder may be root's alone. */
async function freeBytesAt(
  shell: MachineShell,
  folder: string,
  signal: AbortSignal,
): Promise<number | undefined> {
  const look = `df -Pk ${quote(folder)}`;
  const script = `${look} 2>/dev/null || sudo -n ${look}`;
  const { stdout } = await shell.run(script, { limitMs: 10_000, signal });
  const free = /\s(\d+)\s+\d+%\s+\//.exec(stdout.split("\n")[1] ?? "")?.[1];
  return free === undefined ? undefined : Number(free) * 1024;
}
