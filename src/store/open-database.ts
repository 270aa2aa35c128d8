import { mkdir, open } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout } from "node:timers/promises";
import { migrate } from "./migrate.ts";
import { MIGRATIONS } from "./migrations.ts";
import { isBusy, storeError } from "./store-error.ts";

/** How long a statement waits for another process that writes. */
const BUSY_MS = 5000;
const RETRY_MS = 50;

export const databaseFile = (folder: string) => join(folder, "berth.db");

/**
 * Opens the one file that the service and the commands beside it share, or makes it; brings its tables up to date.
 *
 * @param options `busyMs` is the longest wait for a process that writes, in milliseconds.
 * @throws {BerthError} `STORE_UNUSABLE`, in words.
 */
export async function openDatabase(
  folder: string,
  { busyMs = BUSY_MS }: { readonly busyMs?: number } = {},
): Promise<DatabaseSync> {
  const file = databaseFile(folder);
  await makePrivateFile(folder, file);
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(file, { timeout: busyMs, enableForeignKeyConstraints: true });
    await writeAhead(database, busyMs);
    // Each commit is on the disk when it returns: GitHub is told "202" on the strength of it.
    database.exec("PRAGMA synchronous = FULL");
    migrate(database, MIGRATIONS, file);
    return database;
  } catch (error) {
    database?.close();
    throw storeError(error, file);
  }
}

/** SQLite gives its files beside the database the mode of the database. */
async function makePrivateFile(folder: string, file: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await (await open(file, "a", 0o600)).close();
  } catch (error) {
    throw storeError(error, folder);
  }
}

/** Two processes that make the file at the same moment are in each other's way here, and SQLite does not wait by itself. */
async function writeAhead(database: DatabaseSync, busyMs: number): Promise<void> {
  const until = Date.now() + busyMs;
  for (;;) {
    try {
      database.exec("PRAGMA journal_mode = WAL");
      return;
    } catch (error) {
      if (!isBusy(error) || Date.now() >= until) throw error;
    }
    await setTimeout(RETRY_MS);
  }
}
