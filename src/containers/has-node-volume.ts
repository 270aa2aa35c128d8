import type Docker from "dockerode";
import { engineError } from "./engine-error.ts";
import { findWholeVolume } from "./node-volume.ts";

/** Whether this engine has a whole volume for `/__e` of that content: asks only, fills nothing. */
export async function hasNodeVolume(docker: Docker, contentHash: string): Promise<boolean> {
  try {
    return (await findWholeVolume(docker, contentHash)) !== undefined;
  } catch (error) {
    throw engineError(error, "look for the volume with Node");
  }
}
