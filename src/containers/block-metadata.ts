import { randomBytes } from "node:crypto";
import { isIPv4 } from "node:net";
import { text } from "node:stream/consumers";
import type Docker from "dockerode";
import { BerthError } from "../../runner/errors.ts";
import { attachContainer } from "./container-shell.ts";
import { engineError } from "./engine-error.ts";
import { collectGarbage } from "./gc.ts";
import { jobLabels } from "./labels.ts";
import { removeContainer } from "./remove-objects.ts";

/**
 * Where clouds hand out a machine's own credentials: AWS, Azure, Google, OpenStack, DigitalOcean, Oracle; Alibaba; AWS for its containers. Names such as
 * metadata.google.internal lead there. Networks that Berth makes have no IPv6.
 */
export const METADATA_ADDRESSES = ["169.254.169.254", "100.100.100.200", "169.254.170.2"];

/** As if it were a job, so that what a dead process left of it is found. */
const HELPER = "block-metadata";

/** Begins the names of the bridges of guarded networks, and no other's. */
const BRIDGE_PREFIX = "berth";

/** Options of a network that the rules of `blockMetadata` hold for. A bridge's name has at most 15 characters. */
export function guardedBridge(): { [option: string]: string } {
  const name = `${BRIDGE_PREFIX}${randomBytes(5).toString("hex")}`;
  return { "com.docker.network.bridge.name": name };
}

/**
 * Keeps the containers of guarded networks from metadata addresses, by rules on the bridges of Berth's own networks and on no other: connections are refused at
 * once. Port 53 stays open, since Google's name server has the same address. The rules go before all others; where they are already, nothing changes.
 *
 * They are made with the machine's own `iptables` by a container that lives for a moment: so it works for a rootless engine and for one on another machine.
 *
 * @throws {BerthError} `ENGINE_REFUSED` when it cannot be done on this engine's machine; `ENGINE_LOST`
 */
export async function blockMetadata(
  docker: Docker,
  { image, addresses }: { readonly image: string; readonly addresses: readonly string[] },
  signal: AbortSignal,
): Promise<void> {
  const wanted = addresses.filter(isIPv4);
  if (wanted.length === 0) return;
  const { exitCode, said } = await runOnMachine(docker, { image, args: wanted }, signal);
  // Of those that died in the middle of this; what stays now goes the next time.
  await collectGarbage(docker, { job: HELPER }).catch(() => {});
  if (exitCode === 0) return;
  throw new BerthError("ENGINE_REFUSED", {
    message: `Metadata addresses cannot be blocked on the engine's machine: ${said || `exit code ${exitCode}`}.`,
    remedy:
      "Install iptables there, or block 169.254.169.254 for the containers of that machine yourself.",
  });
}

/** Two hooks: what goes through the machine, and what ends on it, as where a proxy of the cloud has the address. */
const SCRIPT = `PATH=/usr/sbin:/sbin:/usr/bin:/bin:/usr/local/sbin
command -v iptables >/dev/null || { echo 'there is no iptables'; exit 1; }
through=DOCKER-USER
iptables -w 10 -S "$through" >/dev/null 2>&1 || through=FORWARD
for address; do
  for chain in "$through" INPUT; do
    set -- "$chain" -i ${BRIDGE_PREFIX}+ -d "$address" -p tcp ! --dport 53 -j REJECT
    iptables -w 10 -C "$@" 2>/dev/null || iptables -w 10 -I "$@" 2>&1 || exit 1
  done
done`;

async function runOnMachine(
  docker: Docker,
  { image, args }: { readonly image: string; readonly args: readonly string[] },
  signal: AbortSignal,
): Promise<{ exitCode: number; said: string }> {
  let id: string | undefined;
  try {
    signal.throwIfAborted();
    const container = await docker.createContainer({
      Image: image,
      User: "0:0",
      WorkingDir: "/",
      Entrypoint: ["chroot", "/host", "/bin/sh", "-c", SCRIPT, "sh"],
      Cmd: [...args],
      // So that a sweep finds it, should this process die now.
      Labels: { ...jobLabels({ kind: "step", jobId: HELPER, runId: "none" }) },
      HostConfig: {
        NetworkMode: "host",
        Binds: ["/:/host:ro"],
        CapDrop: ["ALL"],
        CapAdd: ["NET_ADMIN", "NET_RAW", "SYS_CHROOT"],
        SecurityOpt: ["no-new-privileges"],
      },
    });
    id = container.id;
    await using connection = await attachContainer(docker, id, signal);
    await container.start();
    const [stdout, stderr, { StatusCode: exitCode }] = await Promise.all([
      text(connection.stdout),
      text(connection.stderr),
      container.wait(),
    ]);
    return { exitCode, said: `${stdout}${stderr}`.trim().replace(/\.$/, "") };
  } catch (error) {
    signal.throwIfAborted();
    throw engineError(error, "block metadata addresses");
  } finally {
    if (id !== undefined) await removeContainer(docker, id).catch(() => {});
  }
}
