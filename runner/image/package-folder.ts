import { existsSync } from "node:fs";
import { dirname, join } from "node:path";

/**
 * The folder of Berth's own `package.json`, from which its other files are found: the code may run from its source, from
 * the bundle in `dist`, or from an installed package.
 */
export function packageFolder(): string {
  let folder = import.meta.dirname;
  while (!existsSync(join(folder, "package.json"))) {
    const parent = dirname(folder);
    if (parent === folder) throw new Error(`no package.json above ${import.meta.dirname}`);
    folder = parent;
  }
  return folder;
}
