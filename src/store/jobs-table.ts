import type { DatabaseSync } from "node:sqlite";
import type { CommitQueue } from "./commit-queue.ts";
import { fromColumn, fromColumns, toColumn } from "./record-column.ts";
import type { JobRecord } from "./records.ts";
import type { Store } from "./store.ts";
import { isConstraint } from "./store-error.ts";

export function jobsTable(database: DatabaseSync, { read, write }: CommitQueue): Store["jobs"] {
  const get = database.prepare("SELECT record FROM jobs WHERE id = ?");
  const put = database.prepare(
    `INSERT INTO jobs (id, run_id, state, check_run_id, is_reported, created_at_ms, completed_at_ms, record)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET run_id = excluded.run_id, state = excluded.state,
       check_run_id = excluded.check_run_id, is_reported = excluded.is_reported,
       created_at_ms = excluded.created_at_ms,
       completed_at_ms = excluded.completed_at_ms, record = excluded.record`,
  );
  const ofRun = database.prepare(
    "SELECT record FROM jobs WHERE run_id = ? ORDER BY created_at_ms, rowid",
  );
  const unreported = database.prepare(
    "SELECT record FROM jobs WHERE state = 'completed' AND NOT is_reported ORDER BY created_at_ms, rowid",
  );
  const byCheckRun = database.prepare("SELECT record FROM jobs WHERE check_run_id = ?");
  const atCommit = database.prepare(
    `SELECT jobs.record FROM jobs JOIN runs ON runs.id = jobs.run_id
     WHERE runs.record ->> 'repository' = ? AND jobs.record ->> 'headSha' = ?`,
  );
  const newest = database.prepare(
    "SELECT record FROM jobs ORDER BY created_at_ms DESC, rowid DESC LIMIT ?",
  );
  const newestOpen = database.prepare(
    "SELECT record FROM jobs WHERE state <> 'completed' ORDER BY created_at_ms DESC, rowid DESC LIMIT ?",
  );
  return {
    get: (id) => read(() => fromColumn<JobRecord>(get.get(id))),
    put(job) {
      const record = toColumn(job);
      const { id, runId, state, checkRunId, createdAtMs, completedAtMs } = job;
      const isReported = Number(job.isReported);
      const check = checkRunId ?? null;
      const completed = completedAtMs ?? null;
      return write(() => {
        try {
          put.run(id, runId, state, check, isReported, createdAtMs, completed, record);
        } catch (error) {
          if (!isConstraint(error)) throw error;
          throw new Error(`job ${id} is of run ${runId}, which is not in the store`, {
            cause: error,
          });
        }
      });
    },
    ofRun: (runId) => read(() => fromColumns<JobRecord>(ofRun.all(runId))),
    unreported: () => read(() => fromColumns<JobRecord>(unreported.all())),
    atCommit: (repository, headSha) =>
      read(() => fromColumns<JobRecord>(atCommit.all(repository, headSha))),
    byCheckRun: (checkRunId) => read(() => fromColumn<JobRecord>(byCheckRun.get(checkRunId))),
    list: ({ isOpen, limit }) =>
      read(() => fromColumns<JobRecord>((isOpen ? newestOpen : newest).all(limit))),
  };
}
