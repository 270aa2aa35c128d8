import { randomBytes } from "node:crypto";
import { setMaxListeners } from "node:events";
import type { Duplex } from "node:stream";
import type { Client, ClientChannel } from "ssh2";
import { type ConnectedHop, connectHop, openSocket } from "./connect-hop.ts";
import { opened } from "./open-session.ts";
import type { Hop } from "./resolve-target.ts";
import { connectionFailed } from "./ssh-errors.ts";

/** A connection to a machine as long as it lasts. */
export type Link = {
  readonly hop: Hop;
  readonly client: Client;
  /** Aborts, with the reason, once the connection is gone. */
  readonly lost: AbortSignal;
  /** Processes of ours on the far side, which must not outlive the connection: its sshd first, then the scripts that run. */
  readonly processes: Set<FarProcess>;
  close(): void;
};

/** A process that can be told from one which has its number later. */
export type FarProcess = {
  readonly pid: number;
  /** Ticks since the machine booted, from `/proc`; empty where there is none. */
  readonly startedAt: string;
  /** Whether it leads a process group that goes with it. */
  readonly isGroup: boolean;
};

export type OpenLinkOptions = {
  readonly keepaliveMs: number;
  readonly signal: AbortSignal;
};

/** How long a machine that let us in may take to start the first session, in milliseconds. */
const FIRST_SESSION_MS = 10_000;

/**
 * Connects through the bastions to the machine. Its first session has a terminal and stays idle: only then does OpenSSH send small answers at
 * once (TCP_NODELAY), which is 2 ms instead of 44 for each step of a job.
 *
 * @throws {BerthError} `HOST_UNREACHABLE`, `HOST_KEY_UNKNOWN`, `HOST_KEY_CHANGED`, `HOST_LOGIN_REFUSED`
 */
export async function openLink(
  hops: readonly [...Hop[], Hop],
  options: OpenLinkOptions,
): Promise<Link> {
  const connected = await connectHops(hops, options);
  const close = () => closeHops(connected);
  try {
    const last = connected.at(-1);
    if (last === undefined) throw new Error("there is no hop");
    const link: Link = {
      hop: last.hop,
      client: last.client,
      // The first that breaks breaks all behind it, long before those notice.
      lost: AbortSignal.any(connected.map(({ lost }) => lost)),
      processes: new Set(),
      close,
    };
    setMaxListeners(0, link.lost);
    link.lost.addEventListener("abort", close, { once: true });
    await openIdleSession(link, options.signal);
    options.signal.throwIfAborted();
    return link;
  } catch (error) {
    close();
    throw connectionFailed(hops.at(-1) ?? hops[0], error, options.signal);
  }
}

/** Connects to each through the one before it. */
export async function connectHops(
  hops: readonly Hop[],
  options: OpenLinkOptions,
): Promise<ConnectedHop[]> {
  const connected: ConnectedHop[] = [];
  try {
    for (const hop of hops) {
      const openStream = streamTo(hop, connected.at(-1));
      connected.push(await connectHop(hop, { ...options, openStream }));
    }
    return connected;
  } catch (error) {
    closeHops(connected);
    throw error;
  }
}

export function closeHops(connected: readonly ConnectedHop[]): void {
  for (const hop of connected.toReversed()) hop.close();
}

/** How to get a stream of bytes to a machine: straight, or through the bastion before it. */
export function streamTo(
  { host, port }: Hop,
  before: ConnectedHop | undefined,
): (signal: AbortSignal) => Promise<Duplex> {
  if (before === undefined) return (signal) => openSocket({ host, port }, signal);
  return (signal) =>
    opened(before, signal, (done) => {
      before.client.forwardOut("127.0.0.1", 0, host, port, (error, channel) => {
        const end = () =>
          new Error(`the jump over ${before.hop.host} ends there (${error?.message})`);
        done(error ? end() : undefined, channel);
      });
    });
}

/** A machine may forbid terminals; it is slower then, and no less usable. */
async function openIdleSession(link: Link, signal: AbortSignal): Promise<void> {
  const nonce = randomBytes(8).toString("hex");
  const say = `echo ${nonce} $PPID $(cut -d" " -f22 /proc/$PPID/stat 2>/dev/null) ${nonce}`;
  const command = `exec /bin/sh -c '${say}; exec cat'`;
  const open = (pty: boolean) =>
    opened(link, signal, (done) => link.client.exec(command, { pty }, done));
  const channel = await open(true).catch(() => open(false).catch(() => undefined));
  if (channel === undefined) return;

  channel.stderr.resume();
  const said = await firstMatch(channel, new RegExp(`${nonce} (\\d+) ?(\\d*) ${nonce}`));
  if (said === undefined) return;
  link.processes.add({ pid: Number(said[1]), startedAt: said[2] ?? "", isGroup: false });
}

async function firstMatch(
  channel: ClientChannel,
  pattern: RegExp,
): Promise<RegExpExecArray | undefined> {
  const { promise, resolve } = Promise.withResolvers<RegExpExecArray | undefined>();
  const timer = setTimeout(() => resolve(undefined), FIRST_SESSION_MS);
  let text = "";
  channel.on("data", (bytes: Buffer) => {
    // Whatever the login prints before it is not for us.
    text = (text + bytes.toString("latin1")).slice(-64_000);
    const match = pattern.exec(text);
    if (match !== null) resolve(match);
  });
  channel.on("close", () => resolve(undefined));
  return await promise.finally(() => clearTimeout(timer));
}
