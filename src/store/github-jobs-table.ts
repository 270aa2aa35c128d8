import type { DatabaseSync } from "node:sqlite";
import type { CommitQueue } from "./commit-queue.ts";
import { fromColumn, fromColumns, toColumn } from "./record-column.ts";
import type { GitHubJobRecord } from "./records.ts";
import type { Store } from "./store.ts";

export function githubJobsTable(
  database: DatabaseSync,
  { read, write }: CommitQueue,
): Store["githubJobs"] {
  const get = database.prepare("SELECT record FROM github_jobs WHERE id = ?");
  const put = database.prepare(
    `INSERT INTO github_jobs (id, github_run_id, attempt, changed_at_ms, record) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET github_run_id = excluded.github_run_id, attempt = excluded.attempt,
       changed_at_ms = excluded.changed_at_ms, record = excluded.record`,
  );
  const ofRun = database.prepare(
    "SELECT record FROM github_jobs WHERE github_run_id = ? AND attempt = ? ORDER BY id",
  );
  return {
    get: (id) => read(() => fromColumn<GitHubJobRecord>(get.get(id))),
    put(job) {
      const record = toColumn(job);
      const { id, githubRunId, attempt, createdAtMs, completedAtMs } = job;
      const changedAtMs = completedAtMs ?? createdAtMs;
      return write(() => void put.run(id, githubRunId, attempt, changedAtMs, record));
    },
    ofRun: (githubRunId, attempt) =>
      read(() => fromColumns<GitHubJobRecord>(ofRun.all(githubRunId, attempt))),
  };
}
