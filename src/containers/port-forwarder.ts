import type { Readable } from "node:stream";
import type Docker from "dockerode";
import { z } from "zod";
import { BerthError } from "../../runner/errors.ts";
import type { ShellConnection } from "../../runner/shell/shell.ts";
import { attachContainer } from "./container-shell.ts";
import { engineError } from "./engine-error.ts";
import type { Labels } from "./labels.ts";
import { FORWARDER_PROGRAM } from "./port-forwarder-program.ts";

/** One port of a service that a job's steps are to find on `localhost`. */
export type ForwardRequest = {
  /** Loopback addresses to listen on; what the container lacks is left out, but for the first. */
  readonly addresses: readonly string[];
  /** Those that will do, the best first; when all are taken, or there are none, a free one is found. */
  readonly ports: readonly number[];
  readonly protocol: "tcp" | "udp";
  readonly target: { readonly host: string; readonly port: number };
};

export type ForwardAnswer = {
  readonly port: number;
  /** Why the first choice was not to be had: `EADDRINUSE`, `EACCES`. */
  readonly problem?: string | undefined;
};

const Answers = z.array(
  z.object({ port: z.int().positive(), problem: z.string().optional() }),
) satisfies z.ZodType<ForwardAnswer[]>;

export type PortForwarder = {
  /**
   * Listens; to be asked once. Resolves when each port takes connections.
   *
   * @throws {BerthError} `SERVICE_FAILED`
   */
  forward(
    requests: readonly ForwardRequest[],
    signal: AbortSignal,
  ): Promise<readonly ForwardAnswer[]>;
};

export type PortForwarderOptions = {
  readonly name: string;
  /** With glibc, for the volume's Node. */
  readonly image: string;
  /** Mounted at `/__e`. */
  readonly nodeVolume: string | undefined;
  /** The container whose `localhost` it serves; or where else it is. */
  readonly jobContainer: string | ForwarderPlace;
  readonly labels: Labels;
};

/** A forwarder that lets the world outside into a network. */
export type ForwarderPlace = {
  readonly network: string;
  /** Ports of the machine that lead to the same ones of the forwarder; an empty `hostIp` is all addresses. */
  readonly ports: readonly {
    readonly port: number;
    readonly protocol: "tcp" | "udp";
    readonly hostIp: string;
  }[];
  /** When it ends itself, in milliseconds. */
  readonly limitMs: number;
};

/** Enough for Node and some thousand connections that wait. */
const MEMORY_BYTES = 512 * 2 ** 20;

/**
 * Starts a container in the network namespace of a job's, which carries connections from its `localhost` to services; or one beside it. It has no
 * rights, sees none of the job's files, and is removed like any service.
 *
 * @throws {BerthError} `ENGINE_LOST`, `ENGINE_REFUSED`
 */
export async function startPortForwarder(
  docker: Docker,
  { name, image, nodeVolume, jobContainer, labels }: PortForwarderOptions,
  signal: AbortSignal,
): Promise<PortForwarder> {
  if (nodeVolume === undefined) throw noNode();
  const place = typeof jobContainer === "string" ? undefined : jobContainer;
  try {
    const container = await docker.createContainer({
      name,
      Image: image,
      User: "65534:65534",
      WorkingDir: "/",
      Entrypoint: ["/__e/node24/bin/node"],
      Cmd: ["--max-old-space-size=64", "--eval", programOf(place)],
      Labels: { ...labels },
      OpenStdin: true,
      ...(place && {
        ExposedPorts: Object.fromEntries(place.ports.map((one) => [portOf(one), {}])),
      }),
      HostConfig: {
        NetworkMode: place?.network ?? `container:${jobContainer}`,
        ...(place && {
          PortBindings: Object.fromEntries(
            place.ports.map((one) => [
              portOf(one),
              [{ HostIp: one.hostIp, HostPort: String(one.port) }],
            ]),
          ),
        }),
        Mounts: [{ Type: "volume", Source: nodeVolume, Target: "/__e", ReadOnly: true }],
        ReadonlyRootfs: true,
        CapDrop: ["ALL"],
        SecurityOpt: ["no-new-privileges"],
        Memory: MEMORY_BYTES,
        PidsLimit: 64,
      },
    });
    const connection = await attachContainer(docker, container.id, signal);
    await container.start();
    return { forward: (requests, patience) => ask(connection, requests, patience) };
  } catch (error) {
    signal.throwIfAborted();
    throw engineError(error, "start the container that forwards the services' ports");
  }
}

function programOf(place: ForwarderPlace | undefined): string {
  if (place === undefined) return FORWARDER_PROGRAM;
  return `${FORWARDER_PROGRAM}\nsetTimeout(() => process.exit(), ${Math.ceil(place.limitMs)});`;
}

function portOf({ port, protocol }: ForwarderPlace["ports"][number]): string {
  return `${port}/${protocol}`;
}

async function ask(
  { stdin, stdout, stderr, ...connection }: ShellConnection,
  requests: readonly ForwardRequest[],
  signal: AbortSignal,
): Promise<readonly ForwardAnswer[]> {
  const stop = () => void stdout.destroy();
  signal.addEventListener("abort", stop, { once: true });
  let said = "";
  stderr.on("data", (chunk: Buffer) => {
    said += chunk;
  });
  try {
    stdin.write(`${JSON.stringify(requests)}\n`);
    return Answers.parse(JSON.parse(await firstLine(stdout)));
  } catch (cause) {
    signal.throwIfAborted();
    throw new BerthError("SERVICE_FAILED", {
      message: `The services' ports could not be put on the job's localhost: the container that forwards them ended. ${said.trim()}`,
      remedy:
        "See that the engine's machine has memory left. Services can be reached by name, too.",
      cause,
    });
  } finally {
    signal.removeEventListener("abort", stop);
    await connection[Symbol.asyncDispose]();
  }
}

async function firstLine(stream: Readable): Promise<string> {
  let text = "";
  for await (const chunk of stream) {
    text += chunk;
    if (text.includes("\n")) break;
  }
  return text;
}

function noNode(): BerthError {
  return new BerthError("SERVICE_FAILED", {
    message:
      "The services' ports cannot be put on the job's localhost: this engine has no volume with Node.",
    remedy: "Reach the services by their names, or run `berth demo`, which sets the engine up.",
  });
}
