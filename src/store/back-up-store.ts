import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { link, open, rename, rm, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { BerthError } from "../../runner/errors.ts";
import { refuseNewer } from "./migrate.ts";
import { MIGRATIONS } from "./migrations.ts";
import { databaseFile } from "./open-database.ts";
import { storeError } from "./store-error.ts";

const BUSY_MS = 5000;

/**
 * Writes a copy of the database to `target`: of one moment, while the service goes on writing, or without a service.
 * The file is there whole or not at all.
 *
 * @returns its size.
 * @throws {BerthError} `STORE_UNUSABLE` when there is no database, or one of them cannot be read or written; `USAGE`
 * when `target` is there already and `overwrite` is not set.
 */
export async function backUpStore(
  folder: string,
  target: string,
  { overwrite }: { readonly overwrite: boolean },
): Promise<{ readonly sizeBytes: number }> {
  const file = databaseFile(folder);
  if (!existsSync(file)) throw nothingThere(file);
  if (!overwrite && existsSync(target)) throw isThere(target);
  const draft = join(dirname(resolve(target)), `.berth-backup-${randomUUID()}`);
  try {
    await (await open(draft, "wx", 0o600)).close();
    copyInto(file, draft);
    await using copy = await open(draft, "r+");
    await copy.sync();
    if (overwrite) await rename(draft, target);
    else await link(draft, target);
    return { sizeBytes: (await stat(target)).size };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") throw isThere(target);
    throw storeError(error, target);
  } finally {
    await rm(draft, { force: true });
  }
}

function copyInto(file: string, draft: string): void {
  using database = openToRead(file);
  try {
    refuseNewer(database, { known: MIGRATIONS.length, file });
    database.prepare("VACUUM INTO ?").run(draft);
  } catch (error) {
    throw storeError(error, `${file}, or its copy,`);
  }
}

function openToRead(file: string): DatabaseSync {
  try {
    return new DatabaseSync(file, { timeout: BUSY_MS });
  } catch (error) {
    throw storeError(error, file);
  }
}

function nothingThere(file: string): BerthError {
  return new BerthError("STORE_UNUSABLE", {
    message: `There is no database ${file}: no service has used this folder.`,
    remedy: "Name the service's configuration with -c FILE.",
  });
}

function isThere(target: string): BerthError {
  return new BerthError("USAGE", {
    message: `${target} is there already.`,
    remedy: "Choose another name, or overwrite it with --force.",
  });
}
