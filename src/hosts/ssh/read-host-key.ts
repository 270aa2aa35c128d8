import type { Duplex } from "node:stream";
import type { ServerHostKeyAlgorithm } from "ssh2";
import { trustOf } from "./connect-hop.ts";
import {
  type HostKey,
  hostKeyAlgorithms,
  hostKeyOf,
  type KeyTrust,
  whyNotTrusted,
} from "./host-key.ts";
import { closeHops, connectHops, streamTo } from "./link.ts";
import { type Hop, resolveTarget } from "./resolve-target.ts";
import type { SshOptions, SshTarget } from "./ssh-connection.ts";
import { connectionFailed } from "./ssh-errors.ts";

const CONNECT_TIMEOUT_MS = 15_000;

/**
 * Asks a machine for its key, without logging in to it; bastions on the way are logged in to, and their keys checked.
 *
 * @returns `known` when it is pinned in `target`, or in `known_hosts`.
 * @throws {BerthError} `HOST_UNREACHABLE`, `HOST_KEY_CHANGED` when another one is known; of bastions also `HOST_KEY_UNKNOWN`, `HOST_LOGIN_REFUSED`.
 */
export async function readHostKey(
  target: SshTarget,
  {
    environment,
    connectTimeoutMs = CONNECT_TIMEOUT_MS,
    signal,
  }: SshOptions & { readonly signal: AbortSignal },
): Promise<HostKey & { readonly known: boolean }> {
  const hops = resolveTarget(target, environment);
  const [last] = hops.slice(-1);
  if (last === undefined) throw new Error("there is no host");
  const given = AbortSignal.any([signal, AbortSignal.timeout(connectTimeoutMs)]);
  const bastions = await connectHops(hops.slice(0, -1), { keepaliveMs: 0, signal: given });
  try {
    const trust = await trustOf(last);
    const blob = await showKey(last, trust, streamTo(last, bastions.at(-1)), given);
    const refusal = whyNotTrusted(blob, trust);
    if (refusal?.code === "HOST_KEY_CHANGED") throw refusal;
    return { ...hostKeyOf(blob, trust), known: refusal === undefined };
  } catch (error) {
    throw connectionFailed(last, error, given);
  } finally {
    closeHops(bastions);
  }
}

/** Goes no further than the key exchange. */
async function showKey(
  hop: Hop,
  trust: KeyTrust,
  openStream: (signal: AbortSignal) => Promise<Duplex>,
  signal: AbortSignal,
): Promise<Buffer> {
  const { default: ssh2 } = await import("ssh2");
  const client = new ssh2.Client();
  const stream = await openStream(signal);
  try {
    return await new Promise<Buffer>((resolve, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      client.on("error", reject);
      client.on("close", () => reject(new Error("the machine closed the connection")));
      client.connect({
        sock: stream,
        username: hop.user,
        readyTimeout: 0,
        algorithms: {
          serverHostKey: hostKeyAlgorithms(trust.known.keys, []) as ServerHostKeyAlgorithm[],
        },
        hostVerifier: (blob: Buffer) => {
          resolve(Buffer.from(blob));
          return false;
        },
      });
    });
  } finally {
    stream.destroy();
  }
}
