import type Docker from "dockerode";
import type { ContainerWish } from "./container-request.ts";
import { reasonOf } from "./engine-error.ts";
import type { PortMapping } from "./options/read-ports.ts";

/** A port of the container and where it can be reached on the host. */
export type BoundPort = {
  readonly containerPort: number;
  readonly protocol: string;
  readonly hostIp: string;
  readonly hostPort: number;
};

/** Which ports of the host the engine gave to a running container. */
export async function readBoundPorts(container: Docker.Container): Promise<BoundPort[]> {
  const { NetworkSettings: network } = await container.inspect();
  const found: BoundPort[] = Object.entries(network.Ports ?? {}).flatMap(([name, bindings]) => {
    const [port, protocol = "tcp"] = name.split("/");
    return (bindings ?? []).map(({ HostIp, HostPort }) => ({
      containerPort: Number(port),
      protocol,
      hostIp: HostIp,
      hostPort: Number(HostPort),
    }));
  });
  // The engine lists a port twice where the host has IPv6 too.
  const isTwin = (port: BoundPort) =>
    port.hostIp === "::" &&
    found.some((other) => other.hostIp === "0.0.0.0" && other.hostPort === port.hostPort);
  return found.filter((port) => !isTwin(port));
}

/** A wish that gave way to what the engine said of a port, and what to tell of it. */
export type YieldedPorts = { readonly wish: ContainerWish; readonly note: string };

/** The same wish with a free port in place of the one that the engine cannot open; `undefined` when that is not what went wrong. */
export function withoutRefusedPort(wish: ContainerWish, error: unknown): YieldedPorts | undefined {
  if (wish.ports.every(({ hostPort }) => hostPort === "")) return undefined;
  const said = reasonOf(error);
  const privileged = /cannot expose privileged port (\d+)/i.exec(said)?.[1];
  if (privileged !== undefined) {
    return {
      wish: withoutPorts(wish, [privileged]),
      note: `This engine runs without root and may not open port ${privileged} of the host (below 1024); a free one is used instead.`,
    };
  }
  if (!/port is already allocated|address already in use/i.test(said)) return undefined;
  const taken = [...said.matchAll(/:(\d+)\b/g)].map(([, port = ""]) => port);
  return {
    wish: withoutPorts(wish, taken),
    note: "A port of the host is taken; a free one is used instead.",
  };
}

function withoutPorts(wish: ContainerWish, refused: readonly string[]): ContainerWish {
  const isRefused = ({ hostPort }: PortMapping) => refused.includes(hostPort);
  // Where the engine does not say which, all of them give way.
  const frees = wish.ports.some(isRefused) ? isRefused : () => true;
  return {
    ...wish,
    ports: wish.ports.map((port) => (frees(port) ? { ...port, hostPort: "" } : port)),
  };
}
