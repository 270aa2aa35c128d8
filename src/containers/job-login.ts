import type Docker from "dockerode";
import { BerthError, textOf } from "../../runner/errors.ts";
import { engineError } from "./engine-error.ts";
import { JOB_LABEL, jobLabels, type Labels, RUN_LABEL } from "./labels.ts";
import { assignLogin, type LoginPorts, takenPort } from "./pods/assign-ports.ts";
import { moshCommand, sshCommand } from "./pods/login-commands.ts";
import { runInContainer } from "./pods/run-in-container.ts";
import { type ReadyUser, setupUser } from "./pods/setup-user.ts";
import { publishedPorts } from "./pods/start-on-ports.ts";
import { startPortForwarder } from "./port-forwarder.ts";
import { removeContainer } from "./remove-objects.ts";

/** Commands that log in to a job's container, or why there are none. */
export type JobLogin = {
  readonly ssh?: string;
  readonly mosh?: string;
  readonly problem?: string;
};

export type LogInToJobOptions = {
  /** Public keys, one line each as in authorized_keys. */
  readonly keys: readonly string[];
  /** Name of the host, as Berth knows it. */
  readonly host: string;
  /** Where its ports are reached. */
  readonly address: string;
  /** When the way in closes itself, in milliseconds from now. */
  readonly limitMs: number;
  /** With glibc, and Node's volume: for what carries the connections. */
  readonly forwarder: { readonly image: string; readonly nodeVolume: string | undefined };
  /** Labels of what is made, beside Berth's own. */
  readonly labels: Labels;
  progress(line: string): void;
  readonly signal: AbortSignal;
};

/** Of jobs that run as root: nobody logs in as root. */
const USER_OF_ROOT = "runner";
const TRIES = 5;
const LIMIT_MS = 30_000;

/**
 * Makes a job's container one that a person can log in to: its user, with sudo, an SSH server and mosh, and ports of the machine that lead there. A running
 * container can be given no ports, so a container beside it has them. Never fails for what the container lacks.
 *
 * @throws {BerthError} `ENGINE_LOST`, `ENGINE_REFUSED` when the engine does not know the container.
 * @throws The signal's reason when it is aborted.
 */
export async function logInToJob(
  docker: Docker,
  containerId: string,
  options: LogInToJobOptions,
): Promise<JobLogin> {
  const { keys, progress, signal } = options;
  const facts = await docker
    .getContainer(containerId)
    .inspect()
    .catch((error: unknown) => {
      throw engineError(error, "inspect the job's container");
    });
  try {
    const network = networkOf(facts);
    const user = await loginUser(docker, containerId, facts.Config.User || "0", signal);
    const taken = await publishedPorts(docker);
    const ports = assignLogin([], taken, Math.random);
    const ready = await setupUser(docker, containerId, {
      ...{ user, keys, progress, signal },
      sshPort: ports.ssh,
      moshPorts: ports.mosh,
    });
    const outside =
      network === "host"
        ? ports
        : await openWayIn(docker, { facts, network, ports, taken }, options);
    return commandsOf({ containerId, ready, outside }, options);
  } catch (error) {
    signal.throwIfAborted();
    return { problem: textOf(error) };
  }
}

type Facts = Awaited<ReturnType<Docker.Container["inspect"]>>;

type Network = "host" | { readonly name: string; readonly address: string };

function networkOf({
  HostConfig: { NetworkMode: mode },
  NetworkSettings: settings,
}: Facts): Network {
  if (mode === "host") return "host";
  const [found] = Object.entries(settings.Networks ?? {}).filter(([, one]) => one.IPAddress);
  if (found === undefined) {
    throw new BerthError("SETUP_FAILED", {
      message: `Nobody can reach the job's container from outside: its network is ${mode}.`,
    });
  }
  const [name, { IPAddress: address }] = found;
  return { name, address };
}

/** The job's own, where it has a name and is not root. */
async function loginUser(
  docker: Docker,
  containerId: string,
  user: string,
  signal: AbortSignal,
): Promise<string> {
  const asked = { user, limitMs: LIMIT_MS, signal };
  const { stdout } = await runInContainer(docker, containerId, "id -un", asked);
  const name = stdout.trim();
  return name === "root" || !/^[a-z_][a-z0-9_-]{0,31}$/.test(name) ? USER_OF_ROOT : name;
}

/** Ports of the machine that lead to those inside; the ones for mosh have the same numbers there. */
async function openWayIn(
  docker: Docker,
  way: {
    readonly facts: Facts;
    readonly network: Exclude<Network, "host">;
    readonly ports: LoginPorts;
    readonly taken: ReadonlySet<string>;
  },
  { forwarder, labels, limitMs, signal }: LogInToJobOptions,
): Promise<LoginPorts> {
  const { facts, network, ports: inside } = way;
  const own = facts.Config.Labels ?? {};
  const jobId = own[JOB_LABEL] ?? "";
  const refused = new Set(way.taken);
  for (let ports = inside, tries = 1; ; tries++) {
    const name = `${facts.Name.replace(/^\//, "")}-way-in-${tries}`;
    // Of an earlier life, which died before it could tell of it.
    await removeContainer(docker, name);
    try {
      const { forward } = await startPortForwarder(
        docker,
        {
          name,
          ...forwarder,
          jobContainer: { network: network.name, ports: published(ports), limitMs },
          labels: {
            ...labels,
            ...jobLabels({ kind: "service", jobId, runId: own[RUN_LABEL] ?? "" }),
          },
        },
        signal,
      );
      await forward(requests(ports, inside, network.address), signal);
      return ports;
    } catch (error) {
      await removeContainer(docker, name);
      signal.throwIfAborted();
      const port = takenPort(error instanceof BerthError ? error.cause : error);
      if (port === undefined || tries >= TRIES) throw error;
      for (const one of published(ports)) {
        if (port === "" || String(one.port) === port) refused.add(`${one.port}/${one.protocol}`);
      }
      ports = assignLogin([], refused, Math.random);
    }
  }
}

function moshPortsOf({ mosh: { first, last } }: LoginPorts): number[] {
  return Array.from({ length: last - first + 1 }, (_, at) => first + at);
}

function published(ports: LoginPorts) {
  return [
    { port: ports.ssh, protocol: "tcp", hostIp: "" } as const,
    ...moshPortsOf(ports).map((port) => ({ port, protocol: "udp", hostIp: "" }) as const),
  ];
}

function requests(outside: LoginPorts, inside: LoginPorts, host: string) {
  const addresses = ["0.0.0.0"];
  const ssh = { addresses, ports: [outside.ssh], protocol: "tcp" } as const;
  return [
    { ...ssh, target: { host, port: inside.ssh } },
    ...moshPortsOf(outside).map((port) => ({
      ...{ addresses, ports: [port], protocol: "udp" as const },
      target: { host, port },
    })),
  ];
}

function commandsOf(
  {
    containerId,
    ready,
    outside,
  }: { readonly containerId: string; readonly ready: ReadyUser; readonly outside: LoginPorts },
  { host, address }: LogInToJobOptions,
): JobLogin {
  const { user, hostKey, sshd, moshProblem } = ready;
  const login = {
    ...{ host, address, containerId, user, hostKey, sshd },
    ...{ port: outside.ssh, moshPorts: outside.mosh },
  };
  const mosh = moshProblem === undefined ? moshCommand(login) : null;
  return { ssh: sshCommand(login), ...(mosh !== null && { mosh }) };
}
