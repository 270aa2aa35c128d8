import type { DatabaseSync } from "node:sqlite";
import { BerthError } from "../../runner/errors.ts";
import { commitQueue } from "./commit-queue.ts";
import { databaseFile, openDatabase } from "./open-database.ts";
import { readKeyFile, seal, unseal } from "./secret-key.ts";
import {
  type ScopeColumns,
  type SecretScope,
  scopeColumns,
  scopeOf,
  secretName,
} from "./secret-scope.ts";

/** GitHub's own limit. */
const MAX_BYTES = 48 * 1024;
const CHECK = "berth secret key";

export type SecretEntry = {
  readonly name: string;
  readonly scope: SecretScope;
  readonly setAtMs: number;
};

/** The secrets that jobs get, encrypted. Names mean the same in capitals and small letters. */
export type SecretStore = AsyncDisposable & {
  set(scope: SecretScope, name: string, value: string): Promise<void>;
  /** False when there was none. */
  remove(scope: SecretScope, name: string): Promise<boolean>;
  /** Without values: by scope, then by name. */
  list(): Promise<SecretEntry[]>;
  /** What a job gets: of its environment before its repository's before the organisation's. */
  secretsFor(job: {
    readonly repository: string;
    readonly environment?: string | undefined;
  }): Promise<{ readonly [name: string]: string }>;
};

/**
 * Opens the secrets in the database of `folder`, beside a service that may run.
 *
 * @param keyFile the file with the key, 32 bytes in base64, readable by its owner only.
 * @throws {BerthError} `CONFIG_INVALID` when the key file is unusable or its key is another one than the secrets'.
 */
export async function openSecretStore(
  folder: string,
  keyFile: string,
  { now = Date.now }: { readonly now?: () => number } = {},
): Promise<SecretStore> {
  const key = await readKeyFile(keyFile);
  const database = await openDatabase(folder);
  await using opened = new AsyncDisposableStack();
  const queue = opened.use(commitQueue(database, databaseFile(folder)));
  const checkKey = keyCheck(database, { key, keyFile });
  await queue.read(() => checkKey({ keeps: false }));

  const put = database.prepare(
    `INSERT INTO secrets (owner, repository, environment, name, sealed, set_at_ms) VALUES (?, ?, ?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET owner = excluded.owner, repository = excluded.repository,
       environment = excluded.environment, sealed = excluded.sealed, set_at_ms = excluded.set_at_ms`,
  );
  const remove = database.prepare(
    "DELETE FROM secrets WHERE owner = ? AND repository = ? AND environment = ? AND name = ?",
  );
  const list = database.prepare(
    "SELECT owner, repository, environment, name, set_at_ms FROM secrets ORDER BY owner, repository, environment, name",
  );
  // What is more for this one job comes later.
  const wanted = database.prepare(
    `SELECT * FROM secrets WHERE owner = $owner AND repository IN ('', $repository)
       AND environment IN ('', $environment) ORDER BY repository, environment`,
  );

  const keep = opened.move();
  return {
    async set(scope, name, value) {
      const columns = scopeColumns(scope);
      const upper = secretName(name);
      checkSize(upper, value);
      const sealed = seal(key, value, aboutOf(columns, upper));
      const { owner, repository, environment } = columns;
      await queue.write(() => {
        checkKey({ keeps: true });
        put.run(owner, repository, environment, upper, sealed, now());
      });
    },
    async remove(scope, name) {
      const { owner, repository, environment } = scopeColumns(scope);
      const upper = name.toUpperCase();
      return queue.write(() => remove.run(owner, repository, environment, upper).changes > 0);
    },
    list: () =>
      queue.read(() =>
        list.all().map((row) => ({
          name: String(row.name),
          scope: scopeOf(columnsOf(row)),
          setAtMs: Number(row.set_at_ms),
        })),
      ),
    async secretsFor(job) {
      const { owner, repository, environment } = scopeColumns(job);
      const rows = await queue.read(() =>
        wanted.all({ $owner: owner, $repository: repository, $environment: environment }),
      );
      return Object.fromEntries(
        rows.map((row) => {
          const name = String(row.name);
          const value = unseal(key, row.sealed as Uint8Array, aboutOf(columnsOf(row), name));
          if (value === undefined) throw wrongKey(keyFile);
          return [name, value];
        }),
      );
    },
    [Symbol.asyncDispose]: () => keep.disposeAsync(),
  };
}

/** Something known that the key has encrypted stands in the database as long as there are secrets. */
function keyCheck(
  database: DatabaseSync,
  { key, keyFile }: { readonly key: Buffer; readonly keyFile: string },
): (options: { readonly keeps: boolean }) => void {
  const get = database.prepare(
    "SELECT sealed FROM secret_key WHERE EXISTS (SELECT 1 FROM secrets)",
  );
  const put = database.prepare(
    "INSERT INTO secret_key (number, sealed) VALUES (1, ?) ON CONFLICT DO UPDATE SET sealed = excluded.sealed",
  );
  return ({ keeps }) => {
    const row = get.get();
    if (row === undefined) {
      if (keeps) put.run(seal(key, CHECK, CHECK));
    } else if (unseal(key, row.sealed as Uint8Array, CHECK) !== CHECK) throw wrongKey(keyFile);
  };
}

/** Bound to each value, so that nobody who may write to the file can give a repository another's secret. */
function aboutOf({ owner, repository, environment }: ScopeColumns, name: string): string {
  return JSON.stringify([
    ...[owner, repository, environment].map((one) => one.toLowerCase()),
    name,
  ]);
}

function columnsOf(row: { readonly [column: string]: unknown }): ScopeColumns {
  return {
    owner: String(row.owner),
    repository: String(row.repository),
    environment: String(row.environment),
  };
}

function checkSize(name: string, value: string): void {
  const sizeBytes = Buffer.byteLength(value);
  if (sizeBytes > 0 && sizeBytes <= MAX_BYTES) return;
  const message =
    sizeBytes === 0
      ? `The value of ${name} is empty.`
      : `The value of ${name} has ${sizeBytes} bytes, and GitHub allows ${MAX_BYTES}.`;
  throw new BerthError("USAGE", { message, remedy: "Give the value on standard input." });
}

function wrongKey(keyFile: string): BerthError {
  return new BerthError("CONFIG_INVALID", {
    message: `The key in ${keyFile} is not the one that the secrets are encrypted with.`,
    remedy: "Let secretKeyFile of berth.yml name the right file; without it they must be set anew.",
  });
}
