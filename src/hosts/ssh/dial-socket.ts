import type { Duplex } from "node:stream";
import type { ClientChannel } from "ssh2";
import { BerthError } from "../../../runner/errors.ts";
import type { BridgeLinks } from "./bridge-links.ts";
import { channelStream } from "./channel-stream.ts";
import { raced } from "./keep-connected.ts";
import type { Link } from "./link.ts";
import { openForwarding, openSession } from "./open-session.ts";
import { runOverSsh } from "./run-over-ssh.ts";
import { bridgeCommands, lookScript, readLook, type SocketLook } from "./socket-bridges.ts";

export type DialOptions = {
  /** Where bridges run: programs that carry the bytes between a session and the socket. */
  readonly bridges: BridgeLinks;
  readonly sudo: boolean;
  /** By socket: what worked before. */
  readonly ways: Map<string, Way>;
  /** By socket: the look for another way that is under way. */
  readonly searches: Map<string, Promise<Way>>;
  readonly signal: AbortSignal;
};

/** `forwarding`, or the command of a bridge. */
export type Way = string;
const FORWARDING = "forwarding";

/** How long an engine may take to answer through a bridge that is tried, in milliseconds. */
const PING_MS = 10_000;

/**
 * Opens a stream of bytes to an engine's socket: forwarded by sshd, else carried by the first program on the machine through which the engine
 * answers. What worked is used from then on, until it does not.
 *
 * @throws {BerthError} `ENGINE_NOT_FOUND`, `HOST_UNREACHABLE`
 */
export async function dialSocket(
  link: Link,
  socketPath: string,
  options: DialOptions,
): Promise<Duplex> {
  const { ways, searches, signal } = options;
  const way = ways.get(socketPath) ?? FORWARDING;
  let refusal: string;
  try {
    return await dialBy(way, link, socketPath, options);
  } catch (error) {
    signal.throwIfAborted();
    if (link.lost.aborted) throw error;
    refusal = way === FORWARDING ? "sshd does not forward to it" : String(error);
  }
  ways.delete(socketPath);

  // When an engine goes away, all who use it want another way at once; each look takes sessions, of which a server allows few.
  const search =
    searches.get(socketPath) ??
    findBridge(link, socketPath, { ...options, refusal }).finally(() =>
      searches.delete(socketPath),
    );
  searches.set(socketPath, search);
  const bridge = await raced(search, signal);
  ways.set(socketPath, bridge);
  return await dialBy(bridge, link, socketPath, options);
}

/** The command of the first bridge through which the engine answers. Whoever asked for it may give up, others wait for it, too. */
async function findBridge(
  link: Link,
  socketPath: string,
  options: Pick<DialOptions, "sudo"> & { readonly refusal: string },
): Promise<Way> {
  const { signal } = new AbortController();
  const refusals = [options.refusal];
  const look = await lookAt(link, socketPath, { ...options, signal });
  for (const command of bridgeCommands(socketPath, look, options.sudo)) {
    const refusal = await whySilent(link, command, signal);
    if (refusal !== undefined) {
      refusals.push(`\`${command}\`: ${refusal}`);
      continue;
    }
    return command;
  }
  throw engineNotFound(link, socketPath, { look, refusals, sudo: options.sudo });
}

async function dialBy(
  way: Way,
  link: Link,
  socketPath: string,
  { bridges, signal }: DialOptions,
): Promise<Duplex> {
  if (way === FORWARDING) {
    return channelStream(await openForwarding(link, socketPath, signal), link);
  }
  const { link: carrier, channel } = await bridges.open(`exec ${way}`, signal);
  channel.stderr.resume();
  return channelStream(channel, carrier);
}

async function lookAt(
  link: Link,
  path: string,
  { signal, sudo }: Pick<DialOptions, "signal" | "sudo">,
): Promise<SocketLook> {
  const script = lookScript(path, sudo);
  const { stdout } = await runOverSsh(link, script, { signal, limitMs: PING_MS });
  return readLook(stdout);
}

/** Asks the engine for a sign of life through a bridge. `undefined` when it gives one. */
async function whySilent(
  link: Link,
  command: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  const given = AbortSignal.any([signal, AbortSignal.timeout(PING_MS)]);
  let channel: ClientChannel | undefined;
  try {
    channel = await openSession(link, `exec ${command}`, given);
    const answer = firstAnswer(channel, given);
    channel.write("GET /_ping HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n");
    const { said, complained } = await answer;
    if (/^HTTP\/1\.\d /.test(said)) return undefined;
    return complained || "it says nothing";
  } catch (error) {
    signal.throwIfAborted();
    if (link.lost.aborted) throw error;
    return given.aborted ? `no answer within ${PING_MS / 1000} s` : String(error);
  } finally {
    channel?.close();
  }
}

function firstAnswer(
  channel: ClientChannel,
  given: AbortSignal,
): Promise<{ said: string; complained: string }> {
  return new Promise((resolve, reject) => {
    let said = "";
    let complained = "";
    channel.on("data", (bytes: Buffer) => {
      said += bytes.toString("latin1");
      if (said.includes("\n")) resolve({ said, complained });
    });
    channel.stderr.on("data", (bytes: Buffer) => {
      complained = (complained + bytes.toString()).slice(0, 500);
    });
    channel.on("close", () => resolve({ said, complained: complained.trim() }));
    given.addEventListener("abort", () => reject(given.reason), { once: true });
  });
}

function engineNotFound(
  { hop }: Link,
  socketPath: string,
  { look, refusals, sudo }: { look: SocketLook; refusals: readonly string[]; sudo: boolean },
): BerthError {
  const { why, remedy } = explain(hop.user, socketPath, look, sudo);
  return new BerthError("ENGINE_NOT_FOUND", {
    message: `The engine at ${socketPath} of host ${hop.label} cannot be reached as ${hop.user}: ${why}. Tried: ${refusals.join("; ")}.`,
    remedy,
  });
}

function explain(
  user: string,
  path: string,
  { socket, asRoot, tools }: SocketLook,
  sudo: boolean,
): { why: string; remedy: string } {
  if (socket === "none" && asRoot !== "open") {
    return {
      why: "there is no such socket",
      remedy:
        "Start the engine there (`systemctl start docker`), or set one up: `berth host setup`.",
    };
  }
  if (socket === "closed" || socket === "none") {
    const allow = `Set up rootless Docker for ${user} (\`berth host setup --rootless\`), or let ${user} use sudo without a password for \`docker\`.`;
    if (!sudo) {
      return {
        why: `${user} may not open it, and sudo is switched off (\`sudo: false\`)`,
        remedy: `${allow} Then take \`sudo: false\` out of berth.yml.`,
      };
    }
    if (asRoot !== "open") {
      return {
        why: `${user} may not open it, and may not use sudo without a password`,
        remedy: allow,
      };
    }
  }
  if (tools.length === 0) {
    return {
      why: "sshd forbids forwarding, and the machine has nothing that could carry the bytes instead",
      remedy:
        "Set `AllowStreamLocalForwarding yes` in sshd_config there, or install one of docker's command line, socat, nc (netcat-openbsd), python3 or perl.",
    };
  }
  return {
    why: `${path} is there, but no engine answers`,
    remedy: "See whether the engine still runs there: `docker version`, `systemctl status docker`.",
  };
}
