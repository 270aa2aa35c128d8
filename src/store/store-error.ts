import { BerthError, textOf } from "../../runner/errors.ts";

/** SQLite's result codes, https://www.sqlite.org/rescode.html; of an extended one the low byte. */
const SQLITE_BUSY = 5;
const SQLITE_LOCKED = 6;
const SQLITE_READONLY = 8;
const SQLITE_IOERR = 10;
const SQLITE_CORRUPT = 11;
const SQLITE_FULL = 13;
const SQLITE_CANTOPEN = 14;
const SQLITE_CONSTRAINT = 19;
const SQLITE_NOTADB = 26;

/**
 * What went wrong with the database, in words.
 *
 * @param what the file or folder, as a person knows it.
 */
export function storeError(error: unknown, what: string): BerthError {
  if (error instanceof BerthError) return error;
  const { message, remedy } = explain(error, what);
  return new BerthError("STORE_UNUSABLE", { message, remedy, cause: error });
}

/** A row that may not be there twice; the table says in words which. */
export function isConstraint(error: unknown): boolean {
  return resultCode(error) === SQLITE_CONSTRAINT;
}

export function isBusy(error: unknown): boolean {
  const code = resultCode(error);
  return code === SQLITE_BUSY || code === SQLITE_LOCKED;
}

/** Whether SQLite or the file system said it, rather than our own code. */
export function isOfTheStore(error: unknown): boolean {
  return resultCode(error) !== undefined || systemCode(error) !== undefined;
}

function explain(error: unknown, what: string): { message: string; remedy?: string } {
  switch (resultCode(error) ?? systemCode(error)) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return {
        message: `The database ${what} is locked by another process.`,
        remedy: "Wait for it to end, or find out which it is with fuser or lsof.",
      };
    case SQLITE_FULL:
    case "ENOSPC":
    case "EDQUOT":
      return {
        message: `The disk that holds ${what} is full.`,
        remedy: "Free space there, or let store.path of berth.yml name a folder on a larger disk.",
      };
    case SQLITE_READONLY:
    case "EROFS":
    case "EACCES":
    case "EPERM":
      return {
        message: `${what} cannot be written: this user may not, or the disk is read-only.`,
        remedy: "Let Berth's user own the folder of store.path, or choose another.",
      };
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return {
        message: `The database ${what} is damaged, or is no database.`,
        remedy: "Put a backup in its place (docs/guide/backup.md), or move it away to begin anew.",
      };
    case SQLITE_CANTOPEN:
    // Also what making a folder on some read-only disks ends with.
    case "ENOENT":
      return {
        message: `${what} cannot be opened or made.`,
        remedy: "Let Berth's user own the folder of store.path, or choose another.",
      };
    case SQLITE_IOERR:
      return {
        message: `The disk that holds ${what} failed: ${textOf(error)}.`,
        remedy: "Look at the system's log for errors of the disk.",
      };
    case "EEXIST":
    case "ENOTDIR":
      return {
        message: `${what} cannot be made: a file is in the way.`,
        remedy: "Let store.path of berth.yml name a folder.",
      };
    default:
      return { message: `${what} cannot be used: ${textOf(error)}.` };
  }
}

function resultCode(error: unknown): number | undefined {
  if (typeof error !== "object" || error === null || !("errcode" in error)) return undefined;
  return typeof error.errcode === "number" ? error.errcode & 0xff : undefined;
}

/** Of the file system, `ENOENT` and the like; Node's own codes begin with `ERR_`. */
function systemCode(error: unknown): string | undefined {
  if (typeof error !== "object" || error === null || !("code" in error)) return undefined;
  const { code } = error;
  return typeof code === "string" && /^E(?!RR_)[A-Z]+$/.test(code) ? code : undefined;
}
