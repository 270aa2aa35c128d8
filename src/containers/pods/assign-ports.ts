import { BerthError } from "../../../runner/errors.ts";
import { reasonOf } from "../engine-error.ts";
import type { PortMapping } from "../options/read-ports.ts";
import { POD_FLAGS } from "./pod-request.ts";

/** Below the range from which systems take the ports of outgoing connections. */
const FIRST_PORT = 20_000;
const LAST_PORT = 32_767;
const FIRST_MOSH_PORT = 60_000;
const MOSH_BLOCKS = 200;
const MOSH_PORTS = 5;

/** Ports of the host that are known to be taken: `8080/tcp`. */
export type TakenPorts = ReadonlySet<string>;

/** Where an SSH server inside listens, and mosh. */
export type LoginPorts = {
  readonly ssh: number;
  /** The same number inside and outside, as mosh needs it. */
  readonly mosh: { readonly first: number; readonly last: number };
};

/**
 * Gives each port of the host that was left open a number. They are numbers, and not left to the engine, so that they are the same after a restart of the
 * container. Two who choose at the same time may choose the same: the engine refuses the second, who chooses again (`takenPort`).
 *
 * @param random At least 0, less than 1.
 * @throws {BerthError} `PORT_IN_USE` when all ports of an asked range are taken.
 */
export function assignPorts(
  wanted: readonly PortMapping[],
  taken: TakenPorts,
  random: () => number,
): PortMapping[] {
  const used = new Set([
    ...taken,
    ...wanted.map(({ hostPort, protocol }) => `${hostPort}/${protocol}`),
  ]);
  return wanted.map((port) => {
    const [first, last] = rangeOf(port.hostPort);
    if (first === last) return port;
    const free = freePort(first, last, port.protocol, used, random);
    if (free === undefined) throw rangeTaken(port);
    used.add(`${free}/${port.protocol}`);
    return { ...port, hostPort: String(free) };
  });
}

/** Ports for a login, taken from none that `wanted` names. */
export function assignLogin(
  wanted: readonly PortMapping[],
  taken: TakenPorts,
  random: () => number,
): LoginPorts {
  const used = new Set([
    ...taken,
    ...wanted.map(({ hostPort, protocol }) => `${hostPort}/${protocol}`),
  ]);
  const ssh = freePort(FIRST_PORT, LAST_PORT, "tcp", used, random) ?? FIRST_PORT;
  const start = Math.floor(random() * MOSH_BLOCKS);
  const blocks = Array.from({ length: MOSH_BLOCKS }, (_, i) => (start + i) % MOSH_BLOCKS);
  const block = blocks.find((one) => portsOf(one).every((port) => !used.has(`${port}/udp`)));
  const [first = FIRST_MOSH_PORT] = portsOf(block ?? start);
  return { ssh, mosh: { first, last: first + MOSH_PORTS - 1 } };
}

function portsOf(block: number): number[] {
  return Array.from({ length: MOSH_PORTS }, (_, i) => FIRST_MOSH_PORT + block * MOSH_PORTS + i);
}

/**
 * Which port of the host the engine found taken, as `8080`; empty where it does not say; `undefined` when that is not what went wrong.
 */
export function takenPort(error: unknown): string | undefined {
  const said = reasonOf(error);
  if (/port is already allocated|address already in use/i.test(said)) {
    return [...said.matchAll(/:(\d+)\b/g)].at(-1)?.[1] ?? "";
  }
  // A rootless engine may not open the ports below 1024.
  return /cannot expose privileged port (\d+)/i.exec(said)?.[1];
}

function rangeOf(hostPort: string): readonly [number, number] {
  if (hostPort === "") return [FIRST_PORT, LAST_PORT];
  const [first = "", last = first] = hostPort.split("-");
  return [Number(first), Number(last)];
}

function freePort(
  first: number,
  last: number,
  protocol: string,
  used: TakenPorts,
  random: () => number,
): number | undefined {
  const count = last - first + 1;
  const start = Math.floor(random() * count);
  for (let i = 0; i < count; i++) {
    const port = first + ((start + i) % count);
    if (!used.has(`${port}/${protocol}`)) return port;
  }
  return undefined;
}

function rangeTaken({ hostPort, containerPort }: PortMapping): BerthError {
  return new BerthError("PORT_IN_USE", {
    message: `All ports ${hostPort} of the host, asked for with ${POD_FLAGS.ports} ${hostPort}:${containerPort}, are taken.`,
    remedy: "Ask for a wider range, or leave the host's part out for any free port.",
  });
}
