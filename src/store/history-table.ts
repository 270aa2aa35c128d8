import type { DatabaseSync } from "node:sqlite";
import type { CommitQueue } from "./commit-queue.ts";
import type { Store } from "./store.ts";

export function historyTable(
  database: DatabaseSync,
  { read, write }: CommitQueue,
): Store["history"] {
  const add = database.prepare("INSERT INTO history (job_id, at_ms, message) VALUES (?, ?, ?)");
  const ofJob = database.prepare(
    "SELECT at_ms, message FROM history WHERE job_id = ? ORDER BY number",
  );
  return {
    add: ({ jobId, atMs, message }) => write(() => void add.run(jobId, atMs, message)),
    ofJob: (jobId) =>
      read(() =>
        ofJob
          .all(jobId)
          .map(({ at_ms, message }) => ({ jobId, atMs: Number(at_ms), message: String(message) })),
      ),
  };
}
