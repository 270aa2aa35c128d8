import type Docker from "dockerode";
import type { JobPlace } from "../../runner/job/execute-job.ts";
import { explainExit } from "../../runner/job/explain-exit.ts";
import type { JobDeath } from "../../runner/job/job-death.ts";
import type { ShellBackend, ShellConnection } from "../../runner/shell/shell.ts";
import { type ContainerEnd, readEnd } from "./container-end.ts";
import { containerShell } from "./container-shell.ts";
import type { UserIds } from "./container-user.ts";
import { engineError } from "./engine-error.ts";
import type { BoundPort } from "./published-ports.ts";
import { unlessAborted } from "./unless-aborted.ts";
import { addActions, unpackInto } from "./unpack-into.ts";

const END_PATIENCE_MS = 30_000;
/** What Docker says of a container that ran when it went down itself, and did not when it came up. A shell of ours never ends with it. */
const FOUND_DEAD = 255;

/** A job's container with its network and volumes; everything of `JobPlace` but the shell, which is opened on `backend`, and what needs to know of its user. */
export type ContainerPlace = Omit<JobPlace, "shell" | "unpack"> & {
  readonly backend: ShellBackend;
  readonly containerId: string;
  readonly ports: readonly BoundPort[];
  addActions: NonNullable<JobPlace["addActions"]>;
  /** As `unpack`; what is unpacked belongs to `owner`. */
  unpackFor(owner: UserIds): NonNullable<JobPlace["unpack"]>;
  /** How the container ended, or that it runs. */
  end(): Promise<ContainerEnd>;
  explainEnd: NonNullable<JobPlace["explainEnd"]>;
  abandon(): void;
};

/** Puts a place together; `remove` takes away all that belongs to it and never throws. */
export function containerPlace(
  docker: Docker,
  parts: Pick<ContainerPlace, "host" | "image" | "containerId" | "ports"> & {
    readonly networkId: string | undefined;
    readonly workspace: string;
    readonly home: string | undefined;
    /** Made before the container started. */
    readonly connection?: ShellConnection;
    remove(): Promise<void>;
  },
): ContainerPlace {
  const { host, image, containerId, networkId, ports, workspace, home, connection, remove } = parts;
  const end = () => readEndInTime(docker, containerId);
  const container = docker.getContainer(containerId);
  let isAbandoned = false;

  return {
    host,
    image,
    containerId,
    ...(networkId !== undefined && { networkId }),
    ports,
    paths: {
      workspace,
      temp: "/__w/_temp",
      toolCache: "/__t",
      actions: "/__w/_actions",
      eventFile: "/github/workflow/event.json",
      ...(home !== undefined && { home }),
    },
    backend: containerShell(docker, containerId, connection),
    addActions: (actions, signal) => addActions(container, actions, signal),
    unpackFor: (owner) => (tar, folder, signal) =>
      unpackInto(container, { tar, folder, owner }, signal),
    end,
    explainEnd: async () => describeContainerEnd(await end()),
    abandon() {
      isAbandoned = true;
    },
    async [Symbol.asyncDispose]() {
      if (!isAbandoned) await remove();
    },
  };
}

/** An engine that cannot be reached must not keep a job from ending. */
async function readEndInTime(docker: Docker, containerId: string): Promise<ContainerEnd> {
  try {
    const signal = AbortSignal.timeout(END_PATIENCE_MS);
    return await unlessAborted(readEnd(docker, containerId), signal);
  } catch (error) {
    throw engineError(error, "inspect the container");
  }
}

/** Why a container is not there any more; `undefined` while it runs. */
function describeContainerEnd(
  end: ContainerEnd,
): { readonly why: string; readonly death: JobDeath } | undefined {
  switch (end.state) {
    case "running":
      return undefined;
    case "gone":
      return {
        why: "The job's container was removed while the job ran. See what else uses this engine.",
        death: "container-lost",
      };
    case "ended": {
      if (end.exitCode === FOUND_DEAD && !end.oomKilled) {
        return {
          why: `The job's container was dead when its engine started again (exit code ${FOUND_DEAD}): the machine or its engine had gone down with the job.`,
          death: "host-lost",
        };
      }
      const explained = explainExit({ of: "container", ...end });
      const said = end.error === "" ? "" : ` The engine said: ${end.error}`;
      const why =
        explained === undefined
          ? `The job's container ended (exit code ${end.exitCode}): a step must have killed the shell in it, or the engine stopped it.${said}`
          : `${explained.sentence} ${explained.remedy}${said}`;
      return { why, death: end.oomKilled ? "out-of-memory" : "container-lost" };
    }
    default:
      return end satisfies never;
  }
}
