import { existsSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { databaseFile } from "./open-database.ts";
import { fromColumn } from "./record-column.ts";

/** What the last probe of a host found out, and when. */
export type LastProbe = {
  readonly name: string;
  readonly atMs: number;
  /** Whoever reads it checks it: another version may have written it. */
  readonly facts: unknown;
};

/** The last probes that a service kept, read beside it, or after it; none where there is no store, or an older one. */
export function lastProbes(folder: string): LastProbe[] {
  const file = databaseFile(folder);
  if (!existsSync(file)) return [];
  try {
    using database = new DatabaseSync(file, { readOnly: true });
    const rows = database.prepare("SELECT name, at_ms, record FROM host_facts").all();
    return rows.map((row) => ({
      name: String(row.name),
      atMs: Number(row.at_ms),
      facts: fromColumn<unknown>(row),
    }));
  } catch {
    // Not ours to repair: who opens the store in earnest says what is wrong with it.
    return [];
  }
}
