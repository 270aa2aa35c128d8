import { posix } from "node:path";
import { buffer } from "node:stream/consumers";
import { pack } from "tar-stream";
import type { UserIds } from "./container-user.ts";
import type { TarEntry } from "./tar-entry.ts";

/** The parts of a job that containers beside its own share with it, by where they are in the job's container. */
export type SharedFolders = { readonly [name in keyof typeof SHARED_FOLDERS]: string };

const SHARED_FOLDERS = {
  temp: "/__w/_temp",
  fileCommands: "/__w/_temp/_runner_file_commands",
  home: "/github/home",
  workflow: "/github/workflow",
} as const;

/** The workspace of a job, in its container. */
export function workspaceOf(repository: string): string {
  return `/__w/${repository}/${repository}`;
}

/**
 * What containers beside a job's own share with it. Each is a volume of its own and never a folder of one: before version 26 an engine
 * mounts a folder of a volume by the host's path only, and a job could put a link in its place that leads out into the host.
 */
export function sharedFolders(): SharedFolders {
  return SHARED_FOLDERS;
}

/** Where every job gets a fresh volume. */
export function jobVolumes(repository: string): readonly string[] {
  const shared = [workspaceOf(repository), ...Object.values(SHARED_FOLDERS)];
  return ["/__w", "/github", "/__t", ...shared];
}

/** The folders that a job's user must own before the first step, by an outermost volume. */
export function jobFolders(repository: string): { readonly [volume: string]: readonly string[] } {
  return {
    "/__w": [
      "_temp",
      "_temp/_runner_file_commands",
      "_actions",
      repository,
      `${repository}/${repository}`,
    ],
    "/github": ["home", "workflow"],
    "/__t": [],
  };
}

/** Folders as entries of an archive. */
export function folderEntries(names: readonly string[]): TarEntry[] {
  return names.map((name) => ({ name: `${name}/`, type: "directory", mode: 0o755 }) as TarEntry);
}

/** The entries of a volume as those of an archive of the whole container, the volume itself first. */
export function below(volume: string, entries: readonly TarEntry[]): TarEntry[] {
  const root = volume.slice(1);
  return [
    ...folderEntries([root]),
    ...entries.map((entry) => ({ ...entry, name: `${posix.join(root, entry.name)}` })),
  ];
}

/** A tar of folders, links and empty files that belong to one user. Names are relative to where it is unpacked. */
export async function ownedArchive(entries: readonly TarEntry[], owner: UserIds): Promise<Buffer> {
  const archive = pack();
  for (const entry of entries) archive.entry({ ...entry, ...owner }, "");
  archive.finalize();
  return buffer(archive);
}
