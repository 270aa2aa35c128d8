import { mkdir, open, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { BerthError } from "../../runner/errors.ts";
import { isBusy, storeError } from "./store-error.ts";

/**
 * Makes this process the only service of the folder until it is disposed of or the process ends, however it ends: the
 * lock is the kernel's, on a small database of its own that is held in a transaction.
 *
 * @throws {BerthError} `STORE_UNUSABLE` with the number of the process that has it.
 */
export async function lockService(folder: string): Promise<AsyncDisposable> {
  const file = join(folder, "service-lock.db");
  // In a file of its own: nobody can read one that is locked.
  const holder = join(folder, "service.pid");
  let database: DatabaseSync | undefined;
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await (await open(file, "a", 0o600)).close();
    database = new DatabaseSync(file);
    database.exec("BEGIN EXCLUSIVE");
    await writeFile(holder, `${process.pid}\n`, { mode: 0o600 });
  } catch (error) {
    database?.close();
    throw isBusy(error) ? await alreadyRunning(folder, holder) : storeError(error, folder);
  }
  const held = database;
  return {
    async [Symbol.asyncDispose]() {
      if (held.isOpen) held.close();
    },
  };
}

async function alreadyRunning(folder: string, holder: string): Promise<BerthError> {
  const pid = await readFile(holder, "utf8").catch(() => "");
  const which = /^\d+\n$/.test(pid) ? ` (process ${pid.trim()})` : "";
  return new BerthError("STORE_UNUSABLE", {
    message: `Another service${which} uses the store ${folder}.`,
    remedy: "Stop that one, or give this one a folder of its own with store.path.",
  });
}
