import { createHash } from "node:crypto";
import { mkdir, open, readdir, rm } from "node:fs/promises";
import { join } from "node:path";

/**
 * Counts the runs of one workflow, from 1, as `github.run_number` does; `key` names repository and workflow. The highest
 * number given out is a file's name in `folder`. Two processes that count at the same time get different numbers.
 */
export async function nextRunNumber(folder: string, key: string): Promise<number> {
  const name = createHash("sha256").update(key).digest("hex").slice(0, 32);
  const taken = join(folder, "run-numbers", name);
  await mkdir(taken, { recursive: true, mode: 0o700 });

  for (;;) {
    const number = highest(await readdir(taken)) + 1;
    if (!(await claim(join(taken, String(number))))) continue;

    const now = await readdir(taken);
    // Whoever removed this number before left a higher one, so without one the number is ours.
    if (highest(now) === number) {
      await Promise.all(
        now
          .filter((file) => Number(file) < number)
          .map((file) => rm(join(taken, file), { force: true })),
      );
      return number;
    }
    await rm(join(taken, String(number)), { force: true });
  }
}

function highest(files: readonly string[]): number {
  return Math.max(0, ...files.map(Number).filter(Number.isSafeInteger));
}

async function claim(file: string): Promise<boolean> {
  try {
    await (await open(file, "wx", 0o600)).close();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}
