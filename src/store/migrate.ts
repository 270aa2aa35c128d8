import type { DatabaseSync } from "node:sqlite";
import { BerthError } from "../../runner/errors.ts";

/**
 * Brings the tables of a database to the newest version, each step in a transaction of its own. Versions count from 1,
 * and are how many steps a file has seen.
 *
 * @throws {BerthError} `STORE_UNUSABLE` when the file has seen steps that this Berth does not know.
 */
export function migrate(database: DatabaseSync, migrations: readonly string[], file: string): void {
  refuseNewer(database, { known: migrations.length, file });
  while (versionOf(database) < migrations.length) {
    database.exec("BEGIN IMMEDIATE");
    try {
      // Another process may have been faster.
      const version = versionOf(database);
      const step = migrations[version];
      if (step !== undefined) database.exec(`${step}; PRAGMA user_version = ${version + 1}`);
      database.exec("COMMIT");
    } catch (error) {
      if (database.isTransaction) database.exec("ROLLBACK");
      throw error;
    }
  }
}

/** @throws {BerthError} `STORE_UNUSABLE` when a later Berth has changed the tables. */
export function refuseNewer(
  database: DatabaseSync,
  { known, file }: { readonly known: number; readonly file: string },
): void {
  const version = versionOf(database);
  if (version <= known) return;
  throw new BerthError("STORE_UNUSABLE", {
    message: `The database ${file} is of a newer Berth: its version is ${version}, and this one knows ${known}.`,
    remedy: "Use the newer Berth, or a backup from before it (docs/guide/backup.md).",
  });
}

function versionOf(database: DatabaseSync): number {
  const row = database.prepare("PRAGMA user_version").get();
  return Number(row?.user_version);
}
