import { posix } from "node:path";
import { buffer } from "node:stream/consumers";
import type Docker from "dockerode";
import { pack } from "tar-stream";
import { BerthError } from "../../../runner/errors.ts";
import { statusOf } from "../engine-error.ts";
import type { Labels } from "../labels.ts";
import type { HostSettings } from "../options/container-options.ts";
import { DIND_FOLDER, DIND_SOCKET, USUAL_SOCKET } from "./dind-places.ts";
import { type DindMode, dindRequest } from "./dind-request.ts";

/** How a job's own daemon is to run. */
export type JobDind = {
  readonly mode: DindMode;
  /** The name of its image, once the engine has that. */
  image(work: { progress(line: string): void; readonly signal: AbortSignal }): Promise<string>;
  /** What to do where the mode does not work. */
  readonly remedy: string;
};

const USUAL_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const USUAL_BIN = "/usr/local/bin";
const PLUGINS = "/usr/local/lib/docker/cli-plugins";

/**
 * A daemon that runs in the network of somebody else would change that.
 *
 * @throws {BerthError} `DIND_UNUSABLE`
 */
export function needNetworkOfItsOwn(network: string | undefined): void {
  if (network !== "host" && !network?.startsWith("container:")) return;
  throw new BerthError("DIND_UNUSABLE", {
    message: `The job's container is on the network "${network}", which its own Docker daemon would change for others.`,
    remedy: "Take --network out of container.options, and the network out of the profile.",
  });
}

/** Of the daemon's container and of its socket's volume; with a dot, which no job's own name has. */
export function dindName(container: string): string {
  return `${container}.dind`;
}

/** The volume of the socket of a daemon whose job's container will have that name. */
export async function createDindVolume(
  docker: Docker,
  container: string,
  labels: Labels,
): Promise<{ readonly id: string }> {
  const name = dindName(container);
  await docker.createVolume({ Name: name, Labels: { ...labels } });
  return { id: name };
}

/**
 * Makes the container of a job's daemon, beside the job's own, neither of them started yet; and puts links to socket and client where the job looks
 * for them.
 *
 * @param options `path` is the `PATH` of the job's image.
 */
export async function createJobDind(
  docker: Docker,
  job: Docker.Container,
  {
    path = USUAL_PATH,
    isReadOnly,
    ...request
  }: Omit<Parameters<typeof dindRequest>[0], "network" | "leavesClient" | "proves"> & {
    readonly path: string | undefined;
    readonly isReadOnly: boolean;
    readonly limits: HostSettings;
  },
): Promise<Docker.Container> {
  const folders = path.split(":").filter((folder) => folder.startsWith("/"));
  const hasClient = await hasAny(
    job,
    folders.map((folder) => posix.join(folder, "docker")),
  );
  if (!isReadOnly) {
    const bin = folders.includes(USUAL_BIN) ? USUAL_BIN : (folders.at(-1) ?? USUAL_BIN);
    await putLinks(job, {
      [USUAL_SOCKET]: DIND_SOCKET,
      ...(!hasClient && { [posix.join(bin, "docker")]: `${DIND_FOLDER}/bin/docker` }),
      ...(!(await hasAny(job, [PLUGINS])) && { [PLUGINS]: `${DIND_FOLDER}/cli-plugins` }),
    });
  }
  const network = `container:${job.id}`;
  return await docker.createContainer(
    dindRequest({ ...request, network, leavesClient: !hasClient }),
  );
}

/** A link to the daemon's socket where GitHub's runner has one. */
export function linkSocket(container: Docker.Container): Promise<void> {
  return putLinks(container, { [USUAL_SOCKET]: DIND_SOCKET });
}

async function hasAny(container: Docker.Container, paths: readonly string[]): Promise<boolean> {
  const found = await Promise.all(
    paths.map(async (path) => {
      try {
        const answer: NodeJS.ReadableStream = await container.infoArchive({ path });
        answer.resume(); // unread, it would hold its socket
        return true;
      } catch (error) {
        if (statusOf(error) === 404) return false;
        throw error;
      }
    }),
  );
  return found.some(Boolean);
}

async function putLinks(
  container: Docker.Container,
  links: { readonly [path: string]: string },
): Promise<void> {
  const archive = pack();
  for (const [path, linkname] of Object.entries(links)) {
    archive.entry({ name: path.slice(1), type: "symlink", linkname });
  }
  archive.finalize();
  await container.putArchive(await buffer(archive), { path: "/" });
}
