import type { DatabaseSync } from "node:sqlite";
import { commitQueue } from "./commit-queue.ts";
import { deliveriesTable } from "./deliveries-table.ts";
import { forgetBefore } from "./forget-before.ts";
import { githubJobsTable } from "./github-jobs-table.ts";
import { historyTable } from "./history-table.ts";
import { hostsTable } from "./hosts-table.ts";
import { jobsTable } from "./jobs-table.ts";
import { leasesTable } from "./leases-table.ts";
import { notesTable } from "./notes-table.ts";
import { databaseFile, openDatabase } from "./open-database.ts";
import { runsTable } from "./runs-table.ts";
import type { Store } from "./store.ts";
import { triggersTable } from "./triggers-table.ts";

/**
 * Opens the database in `folder`, or makes both. Disposing of it does what was asked for and closes the file.
 *
 * @param options `busyMs` is the longest wait for a process that writes, in milliseconds.
 * @throws {BerthError} `STORE_UNUSABLE`, in words; so does every function of the store when the disk is full or fails.
 */
export async function openStore(
  folder: string,
  options: { readonly busyMs?: number } = {},
): Promise<Store> {
  return createStore(await openDatabase(folder, options), databaseFile(folder));
}

/** The store over an open database with its tables; closes it in the end. */
export function createStore(database: DatabaseSync, file: string): Store {
  const queue = commitQueue(database, file);
  const forget = forgetBefore(database);
  return {
    deliveries: deliveriesTable(database, queue),
    triggers: triggersTable(database, queue),
    githubJobs: githubJobsTable(database, queue),
    runs: runsTable(database, queue),
    jobs: jobsTable(database, queue),
    leases: leasesTable(database, queue),
    hosts: hostsTable(database, queue),
    history: historyTable(database, queue),
    notes: notesTable(database, queue),
    forgetBefore: (atMs) => queue.write(() => forget(atMs)),
    [Symbol.asyncDispose]: () => queue[Symbol.asyncDispose](),
  };
}
