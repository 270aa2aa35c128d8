import type { DatabaseSync } from "node:sqlite";
import type { CommitQueue } from "./commit-queue.ts";
import { fromColumns, toColumn } from "./record-column.ts";
import type { TriggerRecord } from "./records.ts";
import type { Store } from "./store.ts";

export function triggersTable(
  database: DatabaseSync,
  { read, write }: CommitQueue,
): Store["triggers"] {
  // A delivery that is handled again, after a crash in the middle, keeps the same payload.
  const add = database.prepare(
    "INSERT INTO triggers (delivery_id, repository_id, event, received_at_ms, record) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
  );
  const find = database.prepare(
    "SELECT record FROM triggers WHERE repository_id = ? AND event = ? ORDER BY received_at_ms DESC, rowid DESC",
  );
  return {
    add(trigger) {
      const { deliveryId, repositoryId, event, receivedAtMs } = trigger;
      const record = toColumn(trigger);
      return write(() => void add.run(deliveryId, repositoryId, event, receivedAtMs, record));
    },
    find: ({ repositoryId, event }) =>
      read(() => fromColumns<TriggerRecord>(find.all(repositoryId, event))),
  };
}
