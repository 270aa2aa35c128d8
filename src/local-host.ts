import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { BerthError, textOf } from "../runner/errors.ts";
import type { ExecuteJobDeps, JobPlace } from "../runner/job/execute-job.ts";
import { DiedOf } from "../runner/job/job-death.ts";
import { openLocalPlace } from "../runner/job/local-place.ts";
import { LOCAL_SHELL_MARK } from "../runner/shell/local-backend.ts";
import type { ConnectEngineOptions } from "./containers/connect-engine.ts";
import { isOwnerAlive, thisOwner } from "./containers/owner.ts";
import type { HostPlaces } from "./fleet/host-places.ts";
import { probeMachine } from "./hosts/probe-machine.ts";
import type { Log } from "./log.ts";

export type LocalHostOptions = {
  readonly name: string;
  readonly slots: number;
  /** Of this service alone: what of a killed life is found in it is removed. */
  readonly folder: string;
  /** What steps inherit. */
  readonly env: { readonly [name: string]: string | undefined };
  readonly connect: ConnectEngineOptions;
  readonly log: Log;
};

/** In the environment of all that a job starts, so that it is found once its maker is dead. */
const JOB_MARK = "BERTH_LOCAL_JOB";
const JOB_FILE = "job";
const OWNER_FILE = "owner";

/**
 * This machine without an engine: steps run here, as this user, and nothing isolates them. A job does not outlive the process that runs it; what a killed
 * one left is removed now.
 */
export async function openLocalHost(options: LocalHostOptions): Promise<HostPlaces> {
  const { name, slots, folder, connect, log } = options;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  for (const { path, owner } of await jobFolders(folder)) {
    if (!isOwnerAlive(owner)) await removeFolder(path, log);
  }

  const remove = (jobId: string) => removeFolder(folderOf(folder, jobId), log);
  return {
    name,
    slots,
    async probe(signal) {
      const { engines: _none, gpus: _unleased, ...facts } = await probeMachine({ connect, signal });
      // What runs the jobs here is the shell, which holds nobody to limits.
      const shell = { usable: true, rootless: false, enforcesLimits: false };
      return { ...facts, name, engines: [shell], gpus: [] };
    },
    openPlace: () => async (request, opening) => {
      // Of an earlier life, which ended with its shell or is given up.
      await remove(request.jobId);
      if ((opening.journal?.checkpoints.length ?? 0) > 0) throw shellGone(request.jobId);
      return await openIn(folderOf(folder, request.jobId), { request, opening, options });
    },
    removeJob: remove,
    jobsWithRemains: async () => (await jobFolders(folder)).map(({ jobId }) => jobId),
    [Symbol.asyncDispose]: async () => {},
  };
}

type Opening = Parameters<ExecuteJobDeps["openPlace"]>;

async function openIn(
  path: string,
  {
    request,
    opening,
    options,
  }: { request: Opening[0]; opening: Opening[1]; options: LocalHostOptions },
): Promise<JobPlace> {
  const { name, log } = options;
  await mkdir(path, { mode: 0o700 });
  await writeFile(join(path, OWNER_FILE), thisOwner());
  await writeFile(join(path, JOB_FILE), request.jobId);
  const place = await openLocalPlace(request, {
    ...opening,
    placed: ({ image }) => opening.placed({ host: name, image }),
    env: { ...options.env, [JOB_MARK]: path },
    parent: path,
  }).catch(async (error: unknown) => {
    await removeFolder(path, log);
    throw error;
  });
  let isAbandoned = false;
  return {
    ...place,
    host: name,
    abandon() {
      isAbandoned = true;
      place.abandon?.();
    },
    async [Symbol.asyncDispose]() {
      await place[Symbol.asyncDispose]();
      if (!isAbandoned) await removeFolder(path, log);
    },
  };
}

/** Names of jobs may hold slashes, and matrix values anything. */
function folderOf(folder: string, jobId: string): string {
  return join(folder, createHash("sha256").update(jobId).digest("hex").slice(0, 24));
}

type JobFolder = { readonly path: string; readonly jobId: string; readonly owner: string };

async function jobFolders(folder: string): Promise<JobFolder[]> {
  const names = await readdir(folder);
  const read = (path: string) => readFile(path, "utf8").catch(() => "");
  return await Promise.all(
    names.map(async (name) => {
      const path = join(folder, name);
      const [jobId, owner] = await Promise.all([
        read(join(path, JOB_FILE)),
        read(join(path, OWNER_FILE)),
      ]);
      return { path, jobId, owner };
    }),
  );
}

/** Ends what still runs of a job, and removes its folder. Never throws: what stays is told. */
async function removeFolder(path: string, log: Log): Promise<void> {
  try {
    for (const nonce of await killMarked(`${JOB_MARK}=${path}\0`)) {
      await rm(`/dev/shm/.berth-${nonce}`, { recursive: true, force: true });
    }
    await rm(path, { recursive: true, force: true, maxRetries: 5 });
  } catch (error) {
    log.warn({ path, cause: textOf(error) }, "could not be removed yet");
  }
}

/** Kills every process with this mark in its environment, until there is none left. The nonces of the shells that they belonged to. */
async function killMarked(mark: string): Promise<Set<string>> {
  const nonces = new Set<string>();
  for (let found = true; found; ) {
    found = false;
    for (const pid of (await readdir("/proc")).filter((name) => /^\d+$/.test(name))) {
      const environment = await readFile(`/proc/${pid}/environ`, "latin1").catch(() => "");
      if (!environment.includes(mark)) continue;
      found = true;
      const nonce = new RegExp(`${LOCAL_SHELL_MARK}=(\\w+)\0`).exec(environment)?.[1];
      if (nonce !== undefined) nonces.add(nonce);
      kill(Number(pid));
    }
    if (found) await sleep(5);
  }
  return nonces;
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It ended in between.
  }
}

function shellGone(jobId: string): BerthError {
  return new BerthError("SHELL_LOST", {
    message: `The shell of job ${jobId} ended with the process that ran it: on this machine without an engine no job outlives it.`,
    remedy: "Run the job anew.",
    cause: new DiedOf("container-lost"),
  });
}
