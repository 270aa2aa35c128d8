import type { DatabaseSync } from "node:sqlite";
import type { CommitQueue } from "./commit-queue.ts";
import { fromColumn, toColumn } from "./record-column.ts";
import type { Store } from "./store.ts";

export function hostsTable(database: DatabaseSync, { read, write }: CommitQueue): Store["hosts"] {
  const drained = database.prepare("SELECT name FROM drained_hosts ORDER BY name");
  const add = database.prepare(
    "INSERT INTO drained_hosts (name) VALUES (?) ON CONFLICT DO NOTHING",
  );
  const remove = database.prepare("DELETE FROM drained_hosts WHERE name = ?");
  const remember = database.prepare(
    "INSERT INTO host_facts (name, at_ms, record) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET at_ms = excluded.at_ms, record = excluded.record",
  );
  const known = database.prepare("SELECT name, at_ms, record FROM host_facts ORDER BY name");
  return {
    remember: (name, facts, atMs) => write(() => void remember.run(name, atMs, toColumn(facts))),
    known: () =>
      read(() =>
        known.all().map((row) => ({
          name: String(row.name),
          atMs: Number(row.at_ms),
          facts: fromColumn<unknown>(row),
        })),
      ),
    drained: () => read(() => drained.all().map(({ name }) => String(name))),
    setDrained: (name, isDrained) => write(() => void (isDrained ? add : remove).run(name)),
  };
}
