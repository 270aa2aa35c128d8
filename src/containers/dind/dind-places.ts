import type { Mount } from "../options/container-options.ts";

/** In the job's container, its docker actions' and the daemon's: a volume of the job's with the socket, and the client. */
export const DIND_FOLDER = "/__d";
export const DIND_SOCKET = `${DIND_FOLDER}/docker.sock`;
export const DOCKER_HOST = `DOCKER_HOST=unix://${DIND_SOCKET}`;

/** Where tools look that do not know `DOCKER_HOST`, and where GitHub's runner has the socket. */
export const USUAL_SOCKET = "/var/run/docker.sock";

/** What those who only use the daemon get of its volume. */
export function dindMount(volume: string): Mount {
  return {
    Type: "volume",
    Source: volume,
    Target: DIND_FOLDER,
    ReadOnly: true,
    VolumeOptions: { NoCopy: true },
  };
}
