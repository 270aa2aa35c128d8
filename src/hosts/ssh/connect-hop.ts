import { once } from "node:events";
import { connect, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { AuthenticationType, Client, NextAuthHandler, ServerHostKeyAlgorithm } from "ssh2";
import { BerthError } from "../../../runner/errors.ts";
import { certificateSigner } from "./certificate.ts";
import { hostKeyAlgorithms, type KeyTrust, whyNotTrusted } from "./host-key.ts";
import { knownKeysOf, readKnownHosts } from "./known-hosts.ts";
import { type LoginMethods, loginMethods } from "./login-methods.ts";
import type { Hop } from "./resolve-target.ts";
import { connectionFailed, fieldOf, loginRefused } from "./ssh-errors.ts";

/** A machine that let us in. */
export type ConnectedHop = {
  readonly hop: Hop;
  readonly client: Client;
  /** Aborts, with the reason, once the connection is gone. */
  readonly lost: AbortSignal;
  close(): void;
};

export type ConnectHopOptions = {
  readonly keepaliveMs: number;
  readonly signal: AbortSignal;
  /** A stream of bytes to the machine: straight, or through the bastion before it. */
  openStream(signal: AbortSignal): Promise<Duplex>;
};

/** Unanswered signs of life that end a connection. */
const PATIENCE = 3;

/**
 * Connects to one machine: its key is checked before anything is sent to it, then each way to log in is tried.
 *
 * @throws {BerthError} `HOST_UNREACHABLE`, `HOST_KEY_UNKNOWN`, `HOST_KEY_CHANGED`, `HOST_LOGIN_REFUSED`
 */
export async function connectHop(hop: Hop, options: ConnectHopOptions): Promise<ConnectedHop> {
  const trust = await trustOf(hop);
  const shown: string[] = [];
  let refusal: BerthError | undefined;
  for (;;) {
    const attempt = await tryHop(hop, trust, shown, options).catch((error) => {
      // It has no key of another type.
      throw (error instanceof BerthError && error.code === "HOST_UNREACHABLE" && refusal) || error;
    });
    if (!("shownType" in attempt)) return attempt;

    // A machine has keys of several types, and a pinned fingerprint does not tell of which it is.
    refusal ??= attempt.refused;
    shown.push(attempt.shownType);
    if (hop.hostKey === undefined || hostKeyAlgorithms([], shown).length === 0) throw refusal;
  }
}

/** What is known of a machine's key beforehand. */
export async function trustOf(hop: Hop): Promise<KeyTrust> {
  const name = { name: hop.keyName, port: hop.port };
  const known = knownKeysOf(await readKnownHosts(hop.knownHostsFiles), name);
  return { host: hop.label, ...name, pinned: hop.hostKey, known };
}

/** A TCP connection that sends at once. */
export async function openSocket(
  { host, port }: Pick<Hop, "host" | "port">,
  signal: AbortSignal,
): Promise<Socket> {
  const socket = connect({ host, port, noDelay: true });
  try {
    await once(socket, "connect", { signal });
    return socket;
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

async function tryHop(
  hop: Hop,
  trust: KeyTrust,
  not: readonly string[],
  { keepaliveMs, signal, openStream }: ConnectHopOptions,
): Promise<ConnectedHop | { refused: BerthError; shownType: string }> {
  const { default: ssh2 } = await import("ssh2");
  const client = new ssh2.Client();
  const login = await loginMethods(ssh2, hop, certificateSigner(ssh2, client));
  const lost = new AbortController();
  let refusal: { refused: BerthError; shownType: string } | undefined;
  let attempts: LoginAttempts | undefined;
  let stream: Duplex | undefined;

  client.on("error", (error: Error & { level?: string }) => {
    // Of an agent that is not there; the next method is tried.
    if (error.level !== "agent") lost.abort(error);
  });
  client.on("end", () => lost.abort(new Error("the machine closed the connection")));
  client.on("close", () => lost.abort(new Error("the connection broke")));
  const close = () => {
    client.end();
    stream?.destroy();
  };
  lost.signal.addEventListener("abort", () => stream?.destroy(), { once: true });

  try {
    stream = await openStream(signal);
    const ready = isReady(client, AbortSignal.any([signal, lost.signal]));
    attempts = loginAttempts(hop, login);
    client.connect({
      sock: stream,
      username: hop.user,
      readyTimeout: 0,
      keepaliveInterval: keepaliveMs,
      keepaliveCountMax: PATIENCE,
      algorithms: {
        serverHostKey: hostKeyAlgorithms(trust.known.keys, not) as ServerHostKeyAlgorithm[],
      },
      hostVerifier: (blob: Buffer) => {
        const refused = whyNotTrusted(blob, trust);
        const shownType = blob.subarray(4, 4 + blob.readUInt32BE(0)).toString("latin1");
        if (refused !== undefined) refusal = { refused, shownType };
        return refused === undefined;
      },
      authHandler: attempts.next,
    });
    await ready;
    return { hop, client, lost: lost.signal, close };
  } catch (error) {
    close();
    if (refusal !== undefined) return refusal;
    const cause = lost.signal.aborted ? lost.signal.reason : error;
    if (attempts?.isRefused(cause)) throw loginRefused(hop, attempts.told(), cause);
    throw connectionFailed(hop, cause, signal);
  }
}

/** Not `once` of events: that would give up at an error of the agent's too. */
function isReady(client: Client, given: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    client.once("ready", resolve);
    if (given.aborted) reject(given.reason);
    given.addEventListener("abort", () => reject(given.reason), { once: true });
  });
}

type LoginAttempts = {
  next(left: AuthenticationType[] | null, partial: boolean, use: NextAuthHandler): void;
  isRefused(error: unknown): boolean;
  told(): { tried: string[]; unusable: readonly string[]; accepts: readonly string[] };
};

/** First asks what the server takes, then tries what we have of that. */
function loginAttempts(hop: Hop, { methods, unusable }: LoginMethods): LoginAttempts {
  const waiting = [...methods];
  const tried: string[] = [];
  let accepts: readonly string[] = [];
  let isAsked = false;
  return {
    next(left, _partial, use) {
      if (!isAsked) {
        isAsked = true;
        return use({ type: "none", username: hop.user });
      }
      if (left !== null) accepts = left;
      for (;;) {
        const method = waiting.shift();
        // Its types leave out what its documentation has for the end.
        if (method === undefined) return use(false as never);
        if (accepts.length > 0 && !accepts.includes(method.kind)) continue;
        tried.push(method.name);
        return use(method.method);
      }
    },
    isRefused(error) {
      const level = fieldOf(error, "level");
      // A server ends the connection of one who tried too often.
      return level === "client-authentication" || (tried.length > 0 && level !== "client-timeout");
    },
    told: () => ({ tried, unusable, accepts }),
  };
}
