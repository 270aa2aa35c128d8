import type Docker from "dockerode";
import { engineError } from "./engine-error.ts";
import { findFilledVolume } from "./filled-volume.ts";
import { nodeVolumeKey } from "./node-volume.ts";

/** Whether this engine has a whole volume for `/__e` of that content: asks only, fills nothing. */
export async function hasNodeVolume(docker: Docker, contentHash: string): Promise<boolean> {
  try {
    return (await findFilledVolume(docker, nodeVolumeKey(contentHash))) !== undefined;
  } catch (error) {
    throw engineError(error, "look for the volume with Node");
  }
}
