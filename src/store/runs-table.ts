import type { DatabaseSync } from "node:sqlite";
import type { CommitQueue } from "./commit-queue.ts";
import { fromColumn, fromColumns, toColumn } from "./record-column.ts";
import type { RunRecord } from "./records.ts";
import type { Store } from "./store.ts";

export function runsTable(database: DatabaseSync, { read, write }: CommitQueue): Store["runs"] {
  const get = database.prepare("SELECT record FROM runs WHERE id = ?");
  // Not "OR REPLACE", which would remove the run's jobs.
  const put = database.prepare(
    `INSERT INTO runs (id, repository_id, github_run_id, attempt, state, rerun_of, created_at_ms, record)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET state = excluded.state, rerun_of = excluded.rerun_of, record = excluded.record`,
  );
  const open = database.prepare(
    "SELECT record FROM runs WHERE state IN ('new', 'adopted') ORDER BY created_at_ms, rowid",
  );
  return {
    get: (id) => read(() => fromColumn<RunRecord>(get.get(id))),
    put(run) {
      const record = toColumn(run);
      const { id, repositoryId, githubRunId, attempt, state, rerunOf, createdAtMs } = run;
      const from = rerunOf?.runId ?? null;
      return write(
        () =>
          void put.run(id, repositoryId, githubRunId, attempt, state, from, createdAtMs, record),
      );
    },
    open: () => read(() => fromColumns<RunRecord>(open.all())),
  };
}
