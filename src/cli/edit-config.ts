import {
  existsSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { homedir } from "node:os";
import { resolve } from "node:path";
import { BerthError } from "../../runner/errors.ts";
import { findConfig } from "../config/find-config.ts";
import { whyUnreadable } from "../config/why-unreadable.ts";

/**
 * Changes the configuration in one go: whoever reads it finds the old or the new one. Its rights stay as they are.
 *
 * @param named as `-c` has it; else the one that is found, and with `creates` else `berth.yml` in the current folder.
 * @returns Where it is.
 * @throws {BerthError} `CONFIG_INVALID` when it is not there or cannot be written; what `edit` throws.
 */
export function editConfig(
  named: string | undefined,
  edit: (text: string | undefined) => string,
  { creates = false }: { readonly creates?: boolean } = {},
): string {
  const places = { cwd: process.cwd(), env: process.env, home: homedir() };
  const file = resolve(
    creates ? (foundConfig(named, places) ?? named ?? "berth.yml") : findConfig(named, places),
  );
  try {
    // A link stays one.
    const target = existsSync(file) ? realpathSync(file) : file;
    const isNew = !existsSync(target);
    const text = edit(isNew ? undefined : readFileSync(target, "utf8"));
    const draft = `${target}.${process.pid}.new`;
    try {
      writeFileSync(draft, text, {
        mode: isNew ? 0o644 : statSync(target).mode & 0o777,
        flush: true,
      });
      renameSync(draft, target);
    } finally {
      rmSync(draft, { force: true });
    }
    return file;
  } catch (error) {
    if (error instanceof BerthError) throw error;
    throw new BerthError("CONFIG_INVALID", {
      message: `The configuration ${file} cannot be changed: ${whyUnreadable(error)}.`,
      remedy: "Name another file with -c FILE, or run the command as the user that it belongs to.",
      cause: error,
    });
  }
}

function foundConfig(
  named: string | undefined,
  places: Parameters<typeof findConfig>[1],
): string | undefined {
  try {
    return findConfig(named, places);
  } catch {
    // It is to be made.
    return undefined;
  }
}
