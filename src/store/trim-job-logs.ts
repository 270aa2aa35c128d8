import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { jobFolder, jobIdOf, jobsFolder } from "./job-folder.ts";

/**
 * Removes journals and logs of jobs that have ended and were not written to for `keepMs` milliseconds. Ids of the jobs.
 */
export async function trimJobLogs(
  folder: string,
  {
    keepMs,
    isOpen,
    now = Date.now,
  }: {
    readonly keepMs: number;
    isOpen(jobId: string): boolean | Promise<boolean>;
    readonly now?: () => number;
  },
): Promise<string[]> {
  const removed: string[] = [];
  for (const name of await namesIn(jobsFolder(folder))) {
    const jobId = jobIdOf(name);
    const path = jobFolder(folder, jobId);
    if ((await lastWrittenMs(path)) >= now() - keepMs || (await isOpen(jobId))) continue;
    await rm(path, { recursive: true, force: true });
    removed.push(jobId);
  }
  return removed;
}

async function lastWrittenMs(path: string): Promise<number> {
  const files = ["", ...(await namesIn(path))];
  const times = await Promise.all(
    files.map(async (file) => {
      try {
        return (await stat(join(path, file))).mtimeMs;
      } catch (error) {
        if (isGone(error)) return 0; // a new life removes files of the one before
        throw error;
      }
    }),
  );
  return Math.max(...times);
}

async function namesIn(path: string): Promise<string[]> {
  try {
    return await readdir(path);
  } catch (error) {
    if (isGone(error)) return [];
    throw error;
  }
}

function isGone(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === "ENOENT";
}
