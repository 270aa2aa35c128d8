import { join } from "node:path";

/** Where the journals and logs of all jobs lie, a folder for each. */
export const jobsFolder = (storeFolder: string) => join(storeFolder, "jobs");

/** The folder of one job's journal and log. */
export function jobFolder(storeFolder: string, jobId: string): string {
  // An id with dots only would lead out of the folder.
  const name = encodeURIComponent(jobId).replace(/^\.+$/, (dots) => dots.replaceAll(".", "%2E"));
  return join(jobsFolder(storeFolder), name);
}

/** The id of the job whose folder has this name. */
export function jobIdOf(folderName: string): string {
  return decodeURIComponent(folderName);
}
