import type { EngineFacts, GpuFacts, HostFacts } from "../../hosts/host-facts.ts";
import { formatSize } from "../../profiles/size.ts";
import { alignedTable } from "./aligned-table.ts";

/**
 * All that probing a machine found out, for people.
 *
 * @param place Where it is: `ubuntu@10.0.0.5`.
 */
export function hostReport(facts: HostFacts, place = "this machine"): string {
  const { name, distribution, os, kernel, arch, cpus, memoryBytes, sudo, user } = facts;
  const disks = facts.disks.map(
    (disk, at) =>
      [
        at === 0 ? "disk" : "",
        `${disk.path}: ${formatSize(disk.freeBytes)} free of ${formatSize(disk.totalBytes)}`,
      ] as const,
  );
  const root = user === "root" ? "the login is root" : sudo ? "sudo needs no password" : "no";
  const system = alignedTable([
    ["host", `${name} (${place})`],
    ["system", `${distribution ?? os}, kernel ${kernel}, ${arch}`],
    ["CPUs", String(cpus)],
    ["memory", formatSize(memoryBytes)],
    ...disks,
    ["control groups", facts.cgroupVersion === null ? "none" : `v${facts.cgroupVersion}`],
    ["root", root],
    ...clockRow(facts),
    ["runc", facts.runc ?? "not found"],
    ["NVIDIA toolkit", facts.nvidiaToolkit ?? "not found"],
  ]);
  return [system, engineTable(facts.engines), gpuTable(facts.gpus), notes(facts)]
    .filter(Boolean)
    .join("\n");
}

function clockRow({ clockSkewMs }: HostFacts): [string, string][] {
  if (clockSkewMs === null || Math.abs(clockSkewMs) < 1000) return [];
  const seconds = Math.round(Math.abs(clockSkewMs) / 1000);
  return [["clock", `${seconds} s ${clockSkewMs > 0 ? "ahead" : "behind"}`]];
}

/** A line for each host. */
export function hostTable(hosts: readonly HostFacts[]): string {
  const rows = hosts.map(({ name, arch, cpus, memoryBytes, engines, gpus, warnings }) => [
    name,
    arch,
    String(cpus),
    formatSize(memoryBytes),
    engines
      .filter(({ usable }) => usable)
      .map(engineName)
      .join(", ") || "none",
    gpuSummary(gpus),
    warnings.length === 0 ? "" : String(warnings.length),
  ]);
  return alignedTable([["HOST", "ARCH", "CPUS", "MEMORY", "ENGINES", "GPUS", "WARNINGS"], ...rows]);
}

function engineTable(engines: readonly EngineFacts[]): string {
  if (engines.length === 0) return "No container engine. Run `berth doctor --fix`.\n";
  const rows = engines.map((engine) => [
    `${engine.usable ? "✓" : "✗"} ${engineName(engine)}`,
    engine.apiVersion ?? "",
    engine.endpoint,
    engine.storageDriver ?? "",
    engine.cgroupVersion === null ? "" : `v${engine.cgroupVersion} ${engine.cgroupDriver ?? ""}`,
    engine.runtimes.join(", "),
    engine.usable ? (engine.enforcesLimits ? "enforced" : "not enforced") : "",
    [engine.isDefault ? "jobs get it" : "", engine.throughSudo ? "by sudo" : ""]
      .filter(Boolean)
      .join(", "),
  ]);
  return alignedTable([
    ["  ENGINE", "API", "ENDPOINT", "STORAGE", "CGROUPS", "RUNTIMES", "LIMITS", ""],
    ...rows,
  ]);
}

function gpuTable(gpus: readonly GpuFacts[]): string {
  if (gpus.length === 0) return "No GPU.\n";
  const rows = gpus.map((gpu) => [
    `${gpu.usable ? "✓" : "✗"} ${gpu.index ?? "?"}`,
    gpu.model,
    gpu.memoryBytes === null ? "?" : formatSize(gpu.memoryBytes),
    gpu.driver ?? "?",
    gpu.cuda ?? "",
    gpu.mig.map(({ profile }) => profile).join(", "),
    inUse(gpu),
    gpu.uuid ?? gpu.pciAddress ?? "",
  ]);
  return alignedTable([
    ["  GPU", "MODEL", "MEMORY", "DRIVER", "CUDA", "MIG", "IN USE", "UUID"],
    ...rows,
  ]);
}

function inUse({ processes }: GpuFacts): string {
  if (processes.length === 0) return "";
  return `${processes.length} ${processes.length === 1 ? "process" : "processes"}`;
}

/** Why something cannot be used, and warnings, each with what to do. */
function notes({ engines, gpus, warnings }: HostFacts): string {
  const unusable = [
    ...engines.map((one) => ({ ...one, what: one.endpoint })),
    ...gpus.map((one) => ({ ...one, what: `GPU ${one.index ?? one.pciAddress ?? "?"}` })),
  ].filter(({ usable }) => !usable);
  // Eight GPUs without a driver have one reason.
  const alike = Object.groupBy(
    unusable,
    ({ reason = "", remedy = "" }) => `${reason}\n  ${remedy}`,
  );
  return [
    ...Object.entries(alike).map(
      ([why, ones = []]) => `✗ ${ones.map(({ what }) => what).join(", ")}: ${why}\n`,
    ),
    ...warnings.map(({ message, remedy }) => `! ${message}\n  ${remedy}\n`),
  ].join("");
}

export function engineName({ kind, version, rootless }: EngineFacts): string {
  const name = kind === "podman" ? "Podman" : "Docker";
  return [name, version, rootless ? "rootless" : undefined].filter(Boolean).join(" ");
}

export function gpuSummary(gpus: readonly GpuFacts[]): string {
  const usable = gpus.filter((gpu) => gpu.usable);
  const models = [...new Set(usable.map(({ model }) => model))];
  const good = models.map(
    (model) => `${usable.filter((gpu) => gpu.model === model).length} × ${model}`,
  );
  const bad = gpus.length - usable.length;
  return [...good, ...(bad > 0 ? [`${bad} not usable`] : [])].join(", ") || "none";
}
