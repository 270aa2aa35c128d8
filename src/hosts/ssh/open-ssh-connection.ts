import PQueue from "p-queue";
import { BerthError } from "../../../runner/errors.ts";
import type { MachineShell } from "../machine-shell.ts";
import { type BridgeLinks, bridgeLinks } from "./bridge-links.ts";
import { dialSocket, type Way } from "./dial-socket.ts";
import { endProcesses } from "./end-processes.ts";
import { KeptConnection, raced } from "./keep-connected.ts";
import { type FarProcess, type Link, openLink } from "./link.ts";
import { type Hop, resolveTarget } from "./resolve-target.ts";
import { runOverSsh } from "./run-over-ssh.ts";
import type { SshConnection, SshOptions, SshTarget } from "./ssh-connection.ts";

const CONNECT_TIMEOUT_MS = 15_000;
const KEEPALIVE_MS = 5_000;
/** Of the ten sessions that a server allows one connection. */
const MOST_SCRIPTS = 4;

/**
 * The one connection to a machine. Nothing is sent before it is first needed, but for reading `~/.ssh/config`.
 *
 * @throws {BerthError} `CONFIG_INVALID` when the destination or `~/.ssh/config` makes no sense.
 */
export function openSshConnection(
  target: SshTarget,
  { environment, connectTimeoutMs = CONNECT_TIMEOUT_MS, keepaliveMs = KEEPALIVE_MS }: SshOptions,
): SshConnection {
  const hops = resolveTarget(target, environment);
  const bridges = new WeakMap<Link, BridgeLinks>();
  const ways = new Map<string, Way>();
  const searches = new WeakMap<Link, Map<string, Promise<Way>>>();
  const scripts = new PQueue({ concurrency: MOST_SCRIPTS });

  const connectLink = async (signal: AbortSignal) => {
    const given = AbortSignal.any([signal, AbortSignal.timeout(connectTimeoutMs)]);
    return await openLink(hops, { keepaliveMs, signal: given });
  };
  const kept = new KeptConnection({
    patienceMs: connectTimeoutMs,
    async connect(previous, signal) {
      const link = await connectLink(signal);
      if (previous !== undefined) await endPrevious(link, previous.processes);
      bridges.set(link, bridgeLinks(link, connectLink));
      searches.set(link, new Map());
      return link;
    },
  });

  const shell: MachineShell = {
    async run(script, options) {
      const signal = AbortSignal.any([options.signal, kept.closing]);
      // Not the queue's own way to give up: it would leave what runs to itself.
      const turn = Promise.withResolvers<void>();
      const done = scripts.add(async () => {
        turn.resolve();
        signal.throwIfAborted();
        return await runOverSsh(await kept.link(signal), script, { ...options, signal });
      });
      await raced(Promise.race([turn.promise, done]), signal);
      return await done;
    },
  };
  const { user, host, port } = lastOf(hops);
  return {
    shell,
    address: { user, host, port },
    async dial(socketPath, signal) {
      const link = await kept.link(signal);
      const own = bridges.get(link);
      if (own === undefined) throw new Error("a connection without bridges");
      return await dialSocket(link, socketPath, {
        bridges: own,
        sudo: target.sudo ?? true,
        ways,
        searches: searches.get(link) ?? new Map(),
        signal,
      });
    },
    onChange: (listener) => kept.onChange(listener),
    async [Symbol.asyncDispose]() {
      kept.giveUp();
      await scripts.onIdle(); // each ends what it started, over the connection
      await kept[Symbol.asyncDispose]();
    },
  };
}

/** What cannot be ended now, since this connection breaks too, is left to the next one. */
async function endPrevious(link: Link, processes: ReadonlySet<FarProcess>): Promise<void> {
  for (const process of processes) link.processes.add(process);
  if (!(await endProcesses(link, processes))) return;
  for (const process of processes) link.processes.delete(process);
}

function lastOf(hops: readonly [...Hop[], Hop]): Hop {
  const last = hops.at(-1);
  if (last === undefined) throw new BerthError("CONFIG_INVALID", { message: "There is no host." });
  return last;
}
