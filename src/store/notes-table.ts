import type { DatabaseSync } from "node:sqlite";
import type { CommitQueue } from "./commit-queue.ts";
import type { Store } from "./store.ts";

export function notesTable(database: DatabaseSync, { read, write }: CommitQueue): Store["notes"] {
  const get = database.prepare("SELECT value FROM notes WHERE key = ?");
  const set = database.prepare(
    "INSERT INTO notes (key, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
  );
  const remove = database.prepare("DELETE FROM notes WHERE key = ?");
  return {
    get: (key) =>
      read(() => {
        const row = get.get(key);
        return row === undefined ? undefined : String(row.value);
      }),
    set: (key, value) => write(() => void set.run(key, value)),
    remove: (key) => write(() => void remove.run(key)),
  };
}
