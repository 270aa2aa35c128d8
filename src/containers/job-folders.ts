import { buffer } from "node:stream/consumers";
import { pack } from "tar-stream";
import type { UserIds } from "./container-user.ts";

/** The volumes that every job gets fresh, by mount point. */
export const JOB_VOLUMES = ["/__w", "/github", "/__t"] as const;

/** The folders that a job's user must own before the first step, by the volume they are in. */
export function jobFolders(repository: string): { readonly [volume: string]: readonly string[] } {
  return {
    "/__w": ["_temp", "_actions", repository, `${repository}/${repository}`],
    "/github": ["home", "workflow"],
    "/__t": [],
  };
}

/** A tar of folders that belong to one user. Names are relative to where it is unpacked. */
export async function folderArchive(folders: readonly string[], owner: UserIds): Promise<Buffer> {
  const archive = pack();
  for (const name of folders) {
    archive.entry({ name: `${name}/`, type: "directory", mode: 0o755, ...owner });
  }
  archive.finalize();
  return buffer(archive);
}
