import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { resolve } from "node:path";
import { whyUnreadable } from "./why-unreadable.ts";

/** A path of `berth.yml`: relative to the file's folder, `~/` is the home of Berth's user. */
export function resolvePath(path: string, folder: string): string {
  return path.startsWith("~/") ? resolve(homedir(), path.slice(2)) : resolve(folder, path);
}

/** The contents of a file that holds one secret, without the line end that editors add. */
export function readSecretFile(path: string): { value: string } | { problem: string } {
  try {
    const value = readFileSync(path, "utf8").trim();
    return value === "" ? { problem: `${path} is empty` } : { value };
  } catch (error) {
    return { problem: `${path} cannot be read: ${whyUnreadable(error)}` };
  }
}
