import { textOf } from "../../../runner/errors.ts";
import type { Engine } from "../connect-engine.ts";
import { engineError } from "../engine-error.ts";
import { readBoundPorts } from "../published-ports.ts";
import { type LoginPlace, moshCommand, sshCommand } from "./login-commands.ts";
import type { PodLogin } from "./pod-answer.ts";
import { MOSH_LABEL, SSH_LABEL } from "./pod-labels.ts";
import { type ReadyUser, setupUser } from "./setup-user.ts";

export const NO_LOGIN: PodLogin = {
  user: null,
  userReady: false,
  userError: null,
  hostKey: null,
  sshCommand: null,
  moshCommand: null,
};

export type LogInOptions = {
  readonly user: string;
  readonly keys: readonly string[];
  readonly place: Pick<LoginPlace, "host" | "address" | "identityFile" | "enter">;
  progress(line: string): void;
  readonly signal: AbortSignal;
};

/**
 * Makes a user in a container and tells how to log in. Never fails for what the container lacks: then `userReady` is false, and `userError` has the cause.
 *
 * @throws {BerthError} `CONTAINER_OPTION` for a name that cannot be; `ENGINE_LOST`, `ENGINE_REFUSED` when the engine does not know the container.
 */
export async function logIn(
  { docker }: Engine,
  containerId: string,
  { user, keys, place, progress, signal }: LogInOptions,
): Promise<PodLogin> {
  const container = docker.getContainer(containerId);
  const { Config: config, HostConfig: hostConfig } = await container.inspect().catch((error) => {
    throw engineError(error, "inspect the container");
  });
  const labels = config.Labels ?? {};
  const sshPort = labels[SSH_LABEL] === undefined ? undefined : Number(labels[SSH_LABEL]);
  const moshPorts = rangeOf(labels[MOSH_LABEL]);
  if (keys.length === 0) {
    const userError = "No public key is known: give --ssh-key FILE, or make one with `ssh-keygen`.";
    return { ...NO_LOGIN, user, userError };
  }

  let ready: ReadyUser;
  try {
    ready = await setupUser(docker, containerId, {
      user,
      keys,
      sshPort,
      moshPorts,
      progress,
      signal,
    });
  } catch (error) {
    signal.throwIfAborted();
    return { ...NO_LOGIN, user, userError: textOf(error) };
  }
  const bound = await readBoundPorts(container);
  const isHostNetwork = hostConfig.NetworkMode === "host";
  const outside = bound.find(
    ({ containerPort, protocol }) => containerPort === sshPort && protocol === "tcp",
  );
  const hasMosh = isHostNetwork || bound.some((port) => port.hostPort === moshPorts?.first);
  const login = {
    ...place,
    ...{ user, containerId, hostKey: ready.hostKey, sshd: ready.sshd },
    bindAddress: outside?.hostIp,
    port: isHostNetwork ? sshPort : outside?.hostPort,
    moshPorts: hasMosh ? moshPorts : undefined,
  };
  const { moshProblem } = ready;
  return {
    user,
    userReady: moshProblem === undefined,
    userError: moshProblem === undefined ? null : `SSH works, mosh does not: ${moshProblem}`,
    hostKey: ready.hostKey,
    sshCommand: sshCommand(login),
    moshCommand: moshProblem === undefined ? moshCommand(login) : null,
  };
}

function rangeOf(text: string | undefined): { first: number; last: number } | undefined {
  const match = /^(\d+)-(\d+)$/.exec(text ?? "");
  return match === null ? undefined : { first: Number(match[1]), last: Number(match[2]) };
}
