import type { DatabaseSync } from "node:sqlite";
import type { CommitQueue } from "./commit-queue.ts";
import { fromColumns, toColumn } from "./record-column.ts";
import type { LeaseRecord } from "./records.ts";
import type { Store } from "./store.ts";
import { isConstraint } from "./store-error.ts";

export function leasesTable(database: DatabaseSync, { read, write }: CommitQueue): Store["leases"] {
  const addLease = database.prepare(
    "INSERT INTO leases (job_id, leased_at_ms, record) VALUES (?, ?, ?)",
  );
  const addGpu = database.prepare("INSERT INTO leased_gpus (host, gpu, job_id) VALUES (?, ?, ?)");
  const holder = database.prepare("SELECT job_id FROM leased_gpus WHERE host = ? AND gpu = ?");
  const remove = database.prepare("DELETE FROM leases WHERE job_id = ?");
  const all = database.prepare("SELECT record FROM leases ORDER BY leased_at_ms, rowid");

  const addGpuOf = ({ jobId, host }: LeaseRecord, gpu: string): void => {
    try {
      addGpu.run(host, gpu, jobId);
    } catch (error) {
      if (!isConstraint(error)) throw error;
      const other = String(holder.get(host, gpu)?.job_id);
      const message = `GPU ${gpu} of ${host} is leased to job ${other}, and job ${jobId} wants it`;
      throw new Error(message, { cause: error });
    }
  };

  const insert = (lease: LeaseRecord): void => {
    try {
      addLease.run(lease.jobId, lease.leasedAtMs, toColumn(lease));
    } catch (error) {
      if (!isConstraint(error)) throw error;
      throw new Error(`job ${lease.jobId} has a lease already`, { cause: error });
    }
    for (const gpu of lease.gpus) addGpuOf(lease, gpu);
  };

  return {
    add: (lease) => write(() => insert(lease)),
    replace: (jobId, lease) =>
      write(() => {
        remove.run(jobId);
        insert(lease);
      }),
    remove: (jobId) => write(() => void remove.run(jobId)),
    all: () => read(() => fromColumns<LeaseRecord>(all.all())),
  };
}
