import { isIP } from "node:net";
import { optionError } from "./option-error.ts";

export type Protocol = "tcp" | "udp" | "sctp";

/** One published port. `hostPort` is empty where the engine picks a free one, a range where it picks from that. */
export type PortMapping = {
  readonly containerPort: number;
  readonly protocol: Protocol;
  readonly hostIp: string;
  readonly hostPort: string;
};

/**
 * `[[ip:][host]:]container[/udp]`, both with ranges, or the long form `target=80,published=8080,protocol=tcp`. Host port 0 means
 * any free one.
 *
 * @throws {BerthError} `CONTAINER_OPTION`
 */
export function readPorts(text: string, option: string): PortMapping[] {
  const spec = text.includes("=") ? shortForm(text, option) : text;
  const [address = "", protocolText = "tcp", ...more] = spec.split("/");
  const protocol = readProtocol(protocolText, more, text, option);
  const { ip, host, container } = splitAddress(address, text, option);
  if (ip !== "" && isIP(ip) === 0) throw optionError(option, text, `"${ip}" is no IP address`);

  const [first, last] = readRange(container, text, option);
  if (host === "" || host === "0") return range(first, last).map((port) => mapping(port, ""));

  const [hostFirst, hostLast] = readRange(host, text, option);
  if (hostLast - hostFirst === last - first) {
    return range(first, last).map((port) => mapping(port, String(hostFirst + port - first)));
  }
  if (first === last) return [mapping(first, `${hostFirst}-${hostLast}`)];
  throw optionError(option, text, "its two ranges have different lengths");

  function mapping(containerPort: number, hostPort: string): PortMapping {
    return { containerPort, protocol, hostIp: ip, hostPort };
  }
}

/** `80`, `80/udp`, `3000-3005` of `--expose`, as the engine names them: `80/tcp`. */
export function readExposedPorts(text: string, option: string): string[] {
  if (text.includes(":")) {
    throw optionError(option, text, "it has a host port", "Publish a port with -p instead.");
  }
  return readPorts(text, option).map((port) => `${port.containerPort}/${port.protocol}`);
}

function shortForm(text: string, option: string): string {
  const parts = new Map(
    text.split(",").map((field) => {
      const [key = "", value = ""] = field.toLowerCase().split("=");
      if (!["target", "published", "protocol", "mode"].includes(key)) {
        throw optionError(option, text, `"${key}" is not part of a port`);
      }
      return [key, value] as const;
    }),
  );
  return `${parts.get("published") ?? ""}:${parts.get("target") ?? ""}/${parts.get("protocol") ?? "tcp"}`;
}

function readProtocol(
  text: string,
  more: readonly string[],
  whole: string,
  option: string,
): Protocol {
  const name = text.toLowerCase();
  if (more.length === 0 && (name === "tcp" || name === "udp" || name === "sctp")) return name;
  throw optionError(option, whole, `"${[text, ...more].join("/")}" is none of tcp, udp, sctp`);
}

function splitAddress(
  address: string,
  whole: string,
  option: string,
): { ip: string; host: string; container: string } {
  const bracketed = /^\[([^\]]*)\]:(.*)$/.exec(address);
  const parts = (bracketed?.[2] ?? address).split(":");
  const container = parts.pop() ?? "";
  const host = parts.pop() ?? "";
  const ip = bracketed?.[1] ?? parts.join(":");
  if (container === "") throw optionError(option, whole, "it has no container port");
  return { ip, host, container };
}

function readRange(text: string, whole: string, option: string): readonly [number, number] {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text);
  const first = Number(match?.[1]);
  const last = Number(match?.[2] ?? match?.[1]);
  if (match === null || last < first || last > 65_535) {
    throw optionError(option, whole, `"${text}" is not a port between 0 and 65535 or a range`);
  }
  return [first, last];
}

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}
