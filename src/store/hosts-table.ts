import type { DatabaseSync } from "node:sqlite";
import type { CommitQueue } from "./commit-queue.ts";
import type { Store } from "./store.ts";

export function hostsTable(database: DatabaseSync, { read, write }: CommitQueue): Store["hosts"] {
  const drained = database.prepare("SELECT name FROM drained_hosts ORDER BY name");
  const add = database.prepare(
    "INSERT INTO drained_hosts (name) VALUES (?) ON CONFLICT DO NOTHING",
  );
  const remove = database.prepare("DELETE FROM drained_hosts WHERE name = ?");
  return {
    drained: () => read(() => drained.all().map(({ name }) => String(name))),
    setDrained: (name, isDrained) => write(() => void (isDrained ? add : remove).run(name)),
  };
}
