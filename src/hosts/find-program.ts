import { access, constants } from "node:fs/promises";
import { delimiter, join } from "node:path";

/** Where system programs live; an ordinary user's PATH often lacks these. */
const SYSTEM_FOLDERS = [
  "/usr/local/sbin",
  "/usr/local/bin",
  "/usr/sbin",
  "/usr/bin",
  "/sbin",
  "/bin",
];

/** Absolute path of a program: on PATH, else in a folder where system programs live. */
export async function findProgram(name: string): Promise<string | undefined> {
  for (const folder of searchPath().split(delimiter)) {
    const path = join(folder, name);
    if (await isExecutable(path)) return path;
  }
  return undefined;
}

/** PATH for programs that start system programs themselves. */
export function searchPath(): string {
  const folders = (process.env.PATH ?? "")
    .split(delimiter)
    .filter((folder) => folder.startsWith("/"));
  return [...new Set([...folders, ...SYSTEM_FOLDERS])].join(delimiter);
}

function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
