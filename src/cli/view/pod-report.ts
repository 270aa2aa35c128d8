import type { ListedPod } from "../../containers/pods/list-pods.ts";
import type { PodAnswer, PodPort } from "../../containers/pods/pod-answer.ts";
import { alignedTable } from "./aligned-table.ts";
import { formatDuration } from "./duration.ts";

/** A container that was made, for people. */
export function podReport(answer: PodAnswer): string {
  const { name, id, image, host, engine, rootless, fallbackReason } = answer;
  const { gpuUuids, gpuModel, gpuCount } = answer;
  const kind = rootless ? "rootless" : "runs as root";
  return alignedTable([
    ["container", `${name} (${id.slice(0, 12)}), ${answer.state}`],
    ["image", image],
    ["host", host],
    ["engine", `${engine}, ${kind}`],
    ...(fallbackReason === null ? [] : [["", fallbackReason]]),
    ...shownPorts(answer.ports).map((port, at) => [at === 0 ? "ports" : "", port]),
    ...(gpuCount === 0 ? [] : [["gpus", `${gpuCount} × ${gpuModel}: ${gpuUuids.join(", ")}`]]),
    ...(answer.volumes.length === 0 ? [] : [["volumes", answer.volumes.join(", ")]]),
    ...loginRows(answer),
    ...answer.setup.map(({ what, result, detail }) => [
      "setup",
      `${what}: ${result}${detail === null ? "" : ` (${detail})`}`,
    ]),
  ]);
}

/** How to log in, for people. */
export function loginRows(
  login: Pick<PodAnswer, "user" | "userReady" | "userError" | "sshCommand" | "moshCommand">,
): string[][] {
  if (login.user === null) return [];
  return [
    ["user", `${login.user}, ${login.userReady ? "ready" : `not ready: ${login.userError}`}`],
    ...(login.sshCommand === null ? [] : [["ssh", login.sshCommand]]),
    ...(login.moshCommand === null ? [] : [["mosh", login.moshCommand]]),
  ];
}

/** `berth container ls` */
export function podTable(pods: readonly ListedPod[], nowMs: number): string {
  if (pods.length === 0) return "No containers.\n";
  return alignedTable([
    ["NAME", "ID", "HOST", "IMAGE", "STATE", "AGE", "GPUS", "PORTS"],
    ...pods.map((pod) => [
      pod.name,
      pod.id.slice(0, 12),
      pod.host,
      pod.image,
      pod.state === "exited" ? pod.status.replace(/^Exited \((\d+)\).*/, "exited $1") : pod.state,
      formatDuration(Math.max(0, nowMs - Date.parse(pod.createdAt))),
      pod.gpuUuids.length === 0 ? "-" : `${pod.gpuUuids.length} × ${pod.gpuModel}`,
      shownPorts(pod.ports).join(" ") || "-",
    ]),
  ]);
}

/** `0.0.0.0:8080->80`; a run of ports in one piece. */
function shownPorts(ports: readonly PodPort[]): string[] {
  const shown: { first: PodPort; last: PodPort }[] = [];
  for (const port of ports) {
    const run = shown.at(-1);
    if (run !== undefined && follows(port, run.last)) run.last = port;
    else shown.push({ first: port, last: port });
  }
  return shown.map(({ first, last }) => {
    const address = first.hostIp.includes(":") ? `[${first.hostIp}]` : first.hostIp;
    const protocol = first.protocol === "tcp" ? "" : `/${first.protocol}`;
    return `${address}:${range(first.hostPort, last.hostPort)}->${range(first.containerPort, last.containerPort)}${protocol}`;
  });
}

function follows(port: PodPort, last: PodPort): boolean {
  return (
    port.containerPort === last.containerPort + 1 &&
    port.hostPort === last.hostPort + 1 &&
    port.protocol === last.protocol &&
    port.hostIp === last.hostIp
  );
}

function range(first: number, last: number): string {
  return first === last ? String(first) : `${first}-${last}`;
}
