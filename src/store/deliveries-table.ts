import type { DatabaseSync } from "node:sqlite";
import type { CommitQueue } from "./commit-queue.ts";
import { fromColumns, toColumn } from "./record-column.ts";
import type { DeliveryRecord } from "./records.ts";
import type { Store } from "./store.ts";

export function deliveriesTable(
  database: DatabaseSync,
  { read, write }: CommitQueue,
): Store["deliveries"] {
  const add = database.prepare(
    "INSERT INTO deliveries (id, received_at_ms, record) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
  );
  const has = database.prepare("SELECT 1 FROM deliveries WHERE id = ?");
  const unhandled = database.prepare(
    "SELECT record FROM deliveries WHERE record IS NOT NULL ORDER BY received_at_ms, rowid LIMIT ?",
  );
  const markHandled = database.prepare(
    "UPDATE deliveries SET record = NULL, problem = ? WHERE id = ?",
  );
  return {
    add(delivery) {
      const record = toColumn(delivery); // outside of the queue: large ones take a while
      return write(() => add.run(delivery.id, delivery.receivedAtMs, record).changes > 0);
    },
    has: (id) => read(() => has.get(id) !== undefined),
    unhandled: (limit) => read(() => fromColumns<DeliveryRecord>(unhandled.all(limit))),
    markHandled: (id, problem) => write(() => void markHandled.run(problem ?? null, id)),
  };
}
