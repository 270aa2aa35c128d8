import type { EngineFacts, HostFacts } from "../../hosts/host-facts.ts";
import { formatSize } from "../../profiles/size.ts";
import { alignedTable } from "./aligned-table.ts";
import { engineName, gpuSummary } from "./host-report.ts";

/** A host and what it has, or why nothing can be said of it. */
export type LookedAt = {
  readonly name: string;
  readonly facts?: HostFacts | undefined;
  readonly problem?: string | undefined;
  readonly remedy?: string | undefined;
};

type Row = readonly [title: string, read: (facts: HostFacts) => string];

const ROWS: readonly Row[] = [
  ["system", ({ distribution, os }) => distribution ?? os],
  ["architecture", ({ arch }) => arch],
  ["CPUs", ({ cpus }) => String(cpus)],
  ["memory", ({ memoryBytes }) => formatSize(memoryBytes)],
  ["disk free", ({ disks }) => (disks.length === 0 ? "?" : freeDisk(disks))],
  [
    "control groups",
    ({ cgroupVersion }) => (cgroupVersion === null ? "none" : `v${cgroupVersion}`),
  ],
  ["root", ({ uid, sudo }) => (uid === 0 ? "is root" : sudo ? "by sudo" : "no")],
  ["jobs get", ({ engines }) => namesOf(engines.filter(({ isDefault }) => isDefault))],
  ["also there", ({ engines }) => namesOf(engines.filter(({ isDefault }) => !isDefault))],
  ["limits", ({ engines }) => limitsOf(engines.find(({ isDefault }) => isDefault))],
  [
    "runtimes",
    ({ engines }) => [...new Set(engines.flatMap(({ runtimes }) => runtimes))].join(", "),
  ],
  ["GPUs", ({ gpus }) => gpuSummary(gpus)],
  ["NVIDIA driver", ({ nvidiaDriver }) => nvidiaDriver ?? ""],
  ["CUDA", ({ gpus }) => [...new Set(gpus.flatMap(({ cuda }) => cuda ?? []))].join(", ")],
  ["warnings", ({ warnings }) => (warnings.length === 0 ? "" : String(warnings.length))],
];

/** One column a host, without what none of them has; below, why some could not be looked at. */
export function sideBySide(hosts: readonly LookedAt[]): string {
  const table = alignedTable([
    ["", ...hosts.map(({ name }) => name)],
    ...ROWS.map(([title, read]) => [
      title,
      ...hosts.map(({ facts }) => (facts === undefined ? "?" : read(facts))),
    ]).filter(([, ...cells]) => cells.some((cell) => cell !== "")),
  ]);
  const problems = hosts.flatMap(({ name, problem, remedy }) =>
    problem === undefined
      ? []
      : [`✗ ${name}: ${problem}\n${remedy === undefined ? "" : `  ${remedy}\n`}`],
  );
  const details = hosts.some(({ facts }) => facts !== undefined && facts.warnings.length > 0)
    ? ["Warnings in full: berth host probe NAME\n"]
    : [];
  return [table, ...problems, ...details].join(problems.length + details.length > 0 ? "\n" : "");
}

function freeDisk(disks: HostFacts["disks"]): string {
  // That of Docker comes after that of the system.
  const docker = disks.find(({ path }) => path.startsWith("/var/lib")) ?? disks[0];
  return docker === undefined ? "?" : formatSize(docker.freeBytes);
}

function namesOf(engines: readonly EngineFacts[]): string {
  return engines.map((one) => `${engineName(one)}${one.usable ? "" : " (not usable)"}`).join(", ");
}

function limitsOf(engine: EngineFacts | undefined): string {
  if (engine === undefined || !engine.usable) return "";
  const { limits = engine.enforcesLimits } = engine.proved ?? {};
  return limits === true ? "enforced" : "not enforced";
}
