import type Docker from "dockerode";
import { engineError } from "./engine-error.ts";

/** Whether this engine has a whole volume for `/__e` of that content: asks only, fills nothing. */
export async function hasNodeVolume(docker: Docker, contentHash: string): Promise<boolean> {
  try {
    const filters = { label: ["io.berth.filled"], name: [contentHash] };
    const { Volumes: markers } = await docker.listVolumes({ filters });
    return markers.length > 0;
  } catch (error) {
    throw engineError(error, "look for the volume with Node");
  }
}
