import type Docker from "dockerode";
import { BerthError } from "../../../runner/errors.ts";
import { engineError, reasonOf, statusOf } from "../engine-error.ts";
import type { ImageFacts } from "../images.ts";
import type { Mount } from "../options/container-options.ts";
import type { PortMapping } from "../options/read-ports.ts";
import { removeContainer } from "../remove-objects.ts";
import {
  assignLogin,
  assignPorts,
  type LoginPorts,
  type TakenPorts,
  takenPort,
} from "./assign-ports.ts";
import { goesWithout } from "./claim-for-pod.ts";
import { DIND_RIGHTS, type DindRights, podBody } from "./pod-body.ts";
import type { GpuClaim } from "./pod-host.ts";
import { POD_FLAGS } from "./pod-request.ts";
import type { PodWish } from "./pod-wish.ts";
import type { UndoList } from "./undo-list.ts";

const TRIES = 20;

export type PodPlan = {
  readonly podId: string;
  readonly wish: PodWish;
  readonly image: ImageFacts;
  readonly mounts: readonly Mount[];
  readonly gpus: GpuClaim | undefined;
};

export type StartedPod = {
  readonly id: string;
  readonly name: string;
  readonly gpus: GpuClaim["gpus"];
  readonly warnings: string[];
};

/** What gives way, one thing a try, until the engine starts the container. */
type Attempt = {
  ports: readonly PortMapping[];
  gpus: GpuClaim | undefined;
  rights: readonly DindRights[];
  refused: Set<string>;
};

/**
 * Makes the container and starts it. A port of the host that turns out to be taken is replaced by a free one; so are the rights of an inner engine by fewer
 * that do as well, where the engine cannot give all, and a GPU that is optional by none.
 *
 * @throws {BerthError} `CONTAINER_OPTION`, `ENGINE_REFUSED`, `ENGINE_LOST`, `PORT_IN_USE`, `IMAGE_UNUSABLE`
 */
export async function startOnPorts(
  docker: Docker,
  plan: PodPlan,
  options: { readonly undo: UndoList; readonly signal: AbortSignal; readonly isLocal: boolean },
): Promise<StartedPod> {
  const { wish } = plan;
  const warnings: string[] = [];
  const attempt: Attempt = {
    ports: wish.ports,
    gpus: plan.gpus,
    rights: wish.isDind ? DIND_RIGHTS : [],
    refused: new Set(),
  };
  for (let tries = 1; ; tries++) {
    options.signal.throwIfAborted();
    const made = await makeContainer(docker, plan, attempt, options);
    try {
      await made.container.start();
      const { id } = made.container;
      options.undo.add(`the container ${made.name}`, () => removeContainer(docker, id));
      return { id, name: made.name, gpus: attempt.gpus?.gpus ?? [], warnings };
    } catch (error) {
      await removeContainer(docker, made.container.id);
      const warning = tries < TRIES ? await giveWay(attempt, made, plan, error) : undefined;
      if (warning === undefined) throw engineError(error, "start the container");
      warnings.push(...warning);
    }
  }
}

type Made = {
  readonly container: Docker.Container;
  readonly name: string;
  readonly ports: readonly PortMapping[];
};

async function makeContainer(
  docker: Docker,
  plan: PodPlan,
  { ports: wanted, gpus, rights, refused }: Attempt,
  { isLocal }: { readonly isLocal: boolean },
): Promise<Made> {
  const { podId, wish, image, mounts } = plan;
  const taken = new Set([...(await publishedPorts(docker)), ...refused]);
  const login = wish.setupUser === undefined ? undefined : loginFor(wanted, taken);
  const loginPorts = login === undefined || !canPublish(wish) ? [] : mappingsOf(login, { isLocal });
  const ports = [...assignPorts(wanted, taken, Math.random), ...loginPorts];
  const name = wish.name ?? `pod-${podId}`;
  const body = podBody({ podId, wish, image, mounts, gpus, ports, login, rights: rights[0] });
  try {
    const container = await docker.createContainer({ ...body, name });
    return { container, name, ports };
  } catch (error) {
    if (statusOf(error) === 409 && /already in use/i.test(reasonOf(error))) throw nameTaken(name);
    throw engineError(error, "make the container");
  }
}

/** A person who publishes port 22 has said where the SSH server is to be. */
function loginFor(wanted: readonly PortMapping[], taken: TakenPorts): LoginPorts {
  const login = assignLogin(wanted, taken, Math.random);
  const own = wanted.find(
    ({ containerPort, protocol }) => containerPort === 22 && protocol === "tcp",
  );
  return own === undefined ? login : { ...login, ssh: 22 };
}

function canPublish({ network }: PodWish): boolean {
  return network !== "host" && network !== "none" && !network?.startsWith("container:");
}

/** On this machine nobody else needs to reach it. */
function mappingsOf(
  { ssh, mosh }: LoginPorts,
  { isLocal }: { readonly isLocal: boolean },
): PortMapping[] {
  const hostIp = isLocal ? "127.0.0.1" : "";
  const mosh5 = Array.from({ length: mosh.last - mosh.first + 1 }, (_, i) => mosh.first + i);
  const same = (port: number, protocol: "tcp" | "udp"): PortMapping => ({
    containerPort: port,
    protocol,
    hostIp,
    hostPort: String(port),
  });
  return [...(ssh === 22 ? [] : [same(ssh, "tcp")]), ...mosh5.map((port) => same(port, "udp"))];
}

/** What containers of this engine have, running or not: one that is started again wants its own back. */
export async function publishedPorts(docker: Docker): Promise<Set<string>> {
  try {
    const containers = await docker.listContainers({ all: true });
    return new Set(
      containers.flatMap(({ Ports: ports }) =>
        (ports ?? []).flatMap(({ PublicPort: port, Type: type }) =>
          port === undefined || port === 0 ? [] : [`${port}/${type}`],
        ),
      ),
    );
  } catch (error) {
    throw engineError(error, "list the containers");
  }
}

/** Changes the attempt so that it may do better; what to say of it. `undefined` when nothing can give way. */
async function giveWay(
  attempt: Attempt,
  made: Made,
  { wish }: PodPlan,
  error: unknown,
): Promise<string[] | undefined> {
  const port = takenPort(error);
  if (port !== undefined) return freePort(attempt, made, port, error);
  const said = reasonOf(error);
  if (
    attempt.rights.length > 1 &&
    /unable to apply caps|capabilit|operation not permitted/i.test(said)
  ) {
    attempt.rights = attempt.rights.slice(1);
    return [
      "The engine cannot give all rights (privileged); the inner engine has a list of capabilities.",
    ];
  }
  if (attempt.gpus !== undefined && wish.gpu?.isOptional) {
    await attempt.gpus.release();
    attempt.gpus = undefined;
    return [goesWithout(engineError(error, "start the container with a GPU"))];
  }
  return undefined;
}

function freePort(attempt: Attempt, made: Made, port: string, error: unknown): string[] {
  const isMeant = ({ hostPort }: PortMapping) => port === "" || hostPort === port;
  for (const { hostPort, protocol } of made.ports.filter(isMeant)) {
    attempt.refused.add(`${hostPort}/${protocol}`);
  }
  const given = attempt.ports.filter(isMeant).filter(({ hostPort }) => /^\d+$/.test(hostPort));
  attempt.ports = attempt.ports.map((one) =>
    given.includes(one) ? { ...one, hostPort: "" } : one,
  );
  const isPrivileged = /privileged/i.test(reasonOf(error));
  return given.map(({ hostPort, containerPort }) =>
    isPrivileged
      ? `A rootless engine may not open port ${hostPort} of the host (below 1024); port ${containerPort} has another.`
      : `Port ${hostPort} of the host is taken; port ${containerPort} has another.`,
  );
}

function nameTaken(name: string): BerthError {
  return new BerthError("CONTAINER_OPTION", {
    message: `The value "${name}" of ${POD_FLAGS.name} is not usable: a container of that name exists.`,
    remedy: `Use another name, or remove that one: berth container rm ${name}.`,
  });
}
