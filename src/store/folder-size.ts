import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";

/** What a folder takes up, in bytes of whole disk blocks. */
export async function folderSize(folder: string): Promise<number> {
  let bytes = 0;
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) bytes += (await lstat(join(entry.parentPath, entry.name))).blocks * 512;
  }
  return bytes;
}
