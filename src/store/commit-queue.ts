import type { DatabaseSync } from "node:sqlite";
import { BerthError } from "../../runner/errors.ts";
import { isOfTheStore, storeError } from "./store-error.ts";

/** Work on the database that is done in the order in which it was asked for. It must be safe to do anew after a rollback. */
export type CommitQueue = AsyncDisposable & {
  read<T>(work: () => T): Promise<T>;
  /** Resolves when what was written is on the disk. */
  write<T>(work: () => T): Promise<T>;
};

type Entry = {
  readonly writes: boolean;
  run(): unknown;
  resolve(value: unknown): void;
  reject(error: unknown): void;
};

type Result = { readonly value: unknown } | { readonly error: unknown };

/**
 * Puts together what is asked for in one turn of the event loop, and commits it as one: a write to the disk takes as
 * long for one delivery as for a hundred. One that fails does not take the others with it.
 */
export function commitQueue(database: DatabaseSync, file: string): CommitQueue {
  let waiting: Entry[] = [];
  let isClosed = false;
  let flushed: Promise<void> | undefined;

  const add = <T>(work: () => T, writes: boolean): Promise<T> => {
    if (isClosed) return Promise.reject(closed(file));
    return new Promise<T>((resolve, reject) => {
      waiting.push({ writes, run: work, resolve: resolve as Entry["resolve"], reject });
      flushed ??= new Promise((done) => setImmediate(() => done(flush())));
    });
  };

  const flush = (): void => {
    const batch = waiting;
    waiting = [];
    flushed = undefined;
    const results = commitAll(database, batch);
    batch.forEach(({ resolve, reject }, index) => {
      const result = results[index] ?? { error: new Error("a batch lost an entry") };
      if ("value" in result) resolve(result.value);
      else reject(inWords(result.error, file));
    });
  };

  return {
    read: (work) => add(work, false),
    write: (work) => add(work, true),
    async [Symbol.asyncDispose]() {
      if (isClosed) return;
      isClosed = true;
      await flushed;
      database.close();
    },
  };
}

/** All in one transaction; when that fails each in its own, so that each has its own success or failure. */
function commitAll(database: DatabaseSync, batch: readonly Entry[]): Result[] {
  try {
    const values = commit(database, batch);
    return values.map((value) => ({ value }));
  } catch (error) {
    if (batch.length <= 1) return [{ error }];
    return batch.flatMap((entry) => commitAll(database, [entry]));
  }
}

function commit(database: DatabaseSync, batch: readonly Entry[]): unknown[] {
  if (!batch.some(({ writes }) => writes)) return batch.map(({ run }) => run());
  // At once for writing: one that begins by reading could not go on after another process has written.
  database.exec("BEGIN IMMEDIATE");
  try {
    const values = batch.map(({ run }) => run());
    database.exec("COMMIT");
    return values;
  } catch (error) {
    // Of some errors, a full disk for one, SQLite rolls back by itself.
    if (database.isTransaction) database.exec("ROLLBACK");
    throw error;
  }
}

function inWords(error: unknown, file: string): unknown {
  return isOfTheStore(error) ? storeError(error, file) : error;
}

function closed(file: string): BerthError {
  return new BerthError("STORE_UNUSABLE", {
    message: `The database ${file} is closed: Berth is stopping.`,
  });
}
