import type Docker from "dockerode";
import { BerthError } from "../../runner/errors.ts";
import type { StepContainerSpec } from "../../runner/job/siblings.ts";
import { type ContainerBasics, withBasics } from "./container-basics.ts";
import { type ContainerLease, withLease } from "./container-lease.ts";
import { createRequest, readContainer } from "./container-request.ts";
import { DIND_FOLDER, DOCKER_HOST, dindMount } from "./dind/dind-places.ts";
import { sharedFolders } from "./job-folders.ts";
import { WORKSPACE_LABEL } from "./job-place.ts";
import type { Labels } from "./labels.ts";
import type { Mount } from "./options/container-options.ts";

/** What the containers of docker actions take over from their job's container. */
export type StepSurroundings = {
  readonly network: string;
  readonly mounts: readonly Mount[];
  /** Whether the job has a Docker daemon of its own, whose socket is among the mounts. */
  readonly hasDind: boolean;
};

/**
 * Reads from a job's container what its docker actions share with it. Asks the engine, so that it does not matter which life of the job
 * made the container.
 */
export async function readSurroundings(
  docker: Docker,
  containerId: string,
): Promise<StepSurroundings> {
  const {
    Mounts: mounts,
    Config: { Labels: labels },
    HostConfig: host,
  } = await docker.getContainer(containerId).inspect();
  const { temp, fileCommands, home, workflow } = sharedFolders();
  const places = {
    "/github/workspace": labels[WORKSPACE_LABEL] ?? "",
    "/github/runner_temp": temp,
    "/github/file_commands": fileCommands,
    "/github/home": home,
    "/github/workflow": workflow,
  };
  const dind = mounts.find(({ Destination }) => Destination === DIND_FOLDER)?.Name;
  const shared = Object.entries(places).map(([target, path]): Mount => {
    const found = mounts.find(({ Destination }) => Destination === path);
    if (found === undefined) throw notShared(path);
    // Mounted whole, never a folder within it: a job could put a link in its place, which the engine would follow on the host.
    return found.Type === "volume"
      ? { Type: "volume", Source: found.Name ?? "", Target: target, VolumeOptions: NO_COPY }
      : { Type: "bind", Source: found.Source, Target: target, ReadOnly: !found.RW };
  });
  return {
    network: host.NetworkMode ?? "default",
    mounts: dind === undefined ? shared : [...shared, dindMount(dind)],
    hasDind: dind !== undefined,
  };
}

const NO_COPY = { NoCopy: true };

function notShared(path: string): BerthError {
  return new BerthError("ENGINE_REFUSED", {
    message: `The job's container has no volume at ${path}, which docker actions need: another version of Berth made it.`,
    remedy: "Run the job anew.",
  });
}

/**
 * The engine's create request for one container of a docker action: like a job's in its limits and rights, but with the image's own first
 * process, as on GitHub.
 *
 * @throws {BerthError} `CONTAINER_OPTION` when a variable cannot be passed.
 */
export function stepContainerRequest(
  { image, entrypoint = "", args, env }: StepContainerSpec,
  { network, mounts, hasDind }: StepSurroundings,
  {
    name,
    labels,
    lease,
    basics,
  }: {
    readonly name: string;
    readonly labels: Labels;
    readonly lease?: ContainerLease | undefined;
    readonly basics?: ContainerBasics | undefined;
  },
): ReturnType<typeof createRequest> {
  const read = readContainer({ env, ports: [], volumes: [], options: "" }, labels, {});
  const wish = withLease(withBasics(read, basics), lease, { getsGpus: "always" });
  return createRequest(wish, {
    name,
    image,
    isShell: false,
    ...(entrypoint !== "" && { entrypoint: [entrypoint] }),
    ...(args.length > 0 && { command: args }),
    workingDir: "/github/workspace",
    env: hasDind ? [DOCKER_HOST] : [],
    labels,
    network,
    mounts,
  });
}
