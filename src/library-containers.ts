import { hostname } from "node:os";
import { resolve } from "node:path";
import { podGpus } from "./claim-pod-gpus.ts";
import { borrowImages } from "./cli/pod-hosts.ts";
import { thisMachine } from "./cli/this-machine.ts";
import { createContainer as createPod } from "./containers/pods/create-container.ts";
import { findPod } from "./containers/pods/find-pod.ts";
import { listPods } from "./containers/pods/list-pods.ts";
import type { PodAnswer } from "./containers/pods/pod-answer.ts";
import type { PodRequest } from "./containers/pods/pod-request.ts";
import { removePod } from "./containers/pods/remove-pod.ts";
import type { HostAccess } from "./hosts/host-access.ts";
import { openHost } from "./hosts/open-host.ts";
import { podHostOf } from "./pod-host.ts";
import { isAllowedPath } from "./policy/allowed.ts";
import { setUpForPod } from "./set-up-for-pod.ts";

/** A machine for containers. Without `ssh` and `docker` it is this one, and its engine is found as by `berth run`. */
export type ContainerHost = {
  /** For answers and errors; its address when left out. */
  readonly name?: string;
  /** `[user@]address[:port]`, or a Host of `~/.ssh/config`. */
  readonly ssh?: string;
  /** Private key; as `ssh` itself has it when left out. */
  readonly identityFile?: string;
  readonly passphrase?: string;
  readonly password?: string;
  /** Fingerprint of the machine's key, `SHA256:…`; as in `known_hosts` when left out. */
  readonly hostKey?: string;
  /** `user@bastion:22`, several with commas. */
  readonly jump?: string;
  /** Endpoint of an engine; with `ssh` a socket of that machine. No other is looked for then. */
  readonly docker?: string;
};

export type CreateContainerOptions = {
  /** This machine when left out. */
  readonly host?: ContainerHost;
  /** Folders of the host that may be mounted, and what is below them; none when left out. */
  readonly hostPaths?: readonly string[];
  /** Whether an engine that runs as root may do where no rootless one would; default yes. */
  readonly sudo?: boolean;
  /** What is done where no engine, or no GPU, is usable: nothing, telling how (default), setting it up. */
  readonly setup?: "never" | "plan" | "auto";
  /** Public keys, a line each as in `authorized_keys`, of those who may log in as `setupUser`. */
  readonly sshKeys?: readonly string[];
  /** Fails, and leaves nothing, where `setupUser` cannot log in. */
  readonly requireUser?: boolean;
  readonly signal?: AbortSignal;
  /** Hears what goes on: pulls, packages. */
  onNote?(line: string): void;
};

const ALL_PARTS = ["docker", "rootless", "toolkit", "driver"] as const;

/**
 * Makes and starts a container as `berth container create` does: it stays until `removeContainer`. All or nothing: what a failed attempt had made is removed.
 *
 * @throws {BerthError} `CONTAINER_OPTION`, `ENGINE_NOT_FOUND`, `IMAGE_NOT_FOUND`, `HOST_UNUSABLE`, `HOST_UNREACHABLE` and the like; see docs/errors.md.
 */
export async function createContainer(
  request: PodRequest,
  options: CreateContainerOptions = {},
): Promise<PodAnswer> {
  const { hostPaths = [], setup = "plan", onNote = () => {} } = options;
  await using access = await open(options.host);
  const setUp = access.hasNamedEngine
    ? undefined
    : setUpForPod(access, { mode: setup, allow: ALL_PARTS });
  const images = options.host?.ssh === undefined ? {} : borrowImages({}, onNote);
  const host = podHostOf(access, {
    namedBy: namedBy(access),
    ...podGpus(access),
    ...images,
    setUp,
  });
  return await createPod(host, request, {
    allowsHostPath: (path) => isAllowedPath(path, hostPaths),
    allowsSudo: options.sudo ?? true,
    keys: options.sshKeys,
    requiresUser: options.requireUser,
    progress: onNote,
    signal: options.signal ?? new AbortController().signal,
  });
}

export type RemovedContainer = {
  readonly id: string;
  readonly name: string;
  /** Volumes that went with it. */
  readonly removedVolumes: readonly string[];
  /** Volumes that were made for it, and stay. */
  readonly keptVolumes: readonly string[];
  /** What could not be removed, and why. */
  readonly failed: readonly string[];
};

/**
 * Removes a container of `createContainer` in any state, and lets go of its GPUs.
 *
 * @param container Its name, or the beginning of its id.
 * @throws {BerthError} `USAGE` where there is no such one; errors of the host and its engine.
 */
export async function removeContainer(
  container: string,
  {
    host,
    volumes = false,
    signal = new AbortController().signal,
  }: {
    readonly host?: ContainerHost;
    /** Also volumes with names of yours that were made for it. */
    readonly volumes?: boolean;
    readonly signal?: AbortSignal;
  } = {},
): Promise<RemovedContainer> {
  await using access = await open(host);
  const { engines, connect } = podHostOf(access, { namedBy: namedBy(access) });
  const usable = (await engines(signal)).filter((engine) => engine.usable);
  const opened = await Promise.all(usable.map(({ endpoint }) => connect(endpoint, signal)));
  const pods = await Promise.all(opened.map((engine) => listPods(access.name, engine)));
  const found = await findPod(container, pods.flat(), opened);
  const { releaseClaims } = podGpus(access);
  const { id, name, removedVolumes, keptVolumes, leaks } = await removePod(found, {
    volumes,
    releaseClaims: async (podId) => await releaseClaims?.(podId, found.engine),
  });
  return { id, name, removedVolumes, keptVolumes, failed: leaks };
}

async function open(host: ContainerHost = {}): Promise<HostAccess> {
  const { ssh, docker, name = ssh ?? docker ?? hostname(), ...login } = host;
  const identityFile = login.identityFile && resolve(login.identityFile);
  const over = ssh === undefined ? undefined : { ...login, destination: ssh, identityFile };
  const target = { name, docker, ssh: over };
  return await openHost(target, { connect: thisMachine({}) });
}

function namedBy({ hasNamedEngine }: HostAccess): string | undefined {
  return hasNamedEngine ? "the option docker, or DOCKER_HOST" : undefined;
}
