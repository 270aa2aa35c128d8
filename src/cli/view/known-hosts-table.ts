import { formatSize } from "../../profiles/size.ts";
import type { KnownHost } from "../hosts-of-config.ts";
import { alignedTable } from "./aligned-table.ts";

/** A line for each host of the configuration; with what is free while the service runs. */
export function knownHostsTable(hosts: readonly KnownHost[]): string {
  return alignedTable([["HOST", "SLOTS", "CPUS", "MEMORY", "GPUS", "STATE"], ...hosts.map(rowOf)]);
}

function rowOf({ name, slots, capability, closed, free, leases = [] }: KnownHost): string[] {
  const usable = capability?.gpus.filter((gpu) => gpu.usable).length ?? 0;
  return [
    name,
    ofAll(free?.slots, slots),
    capability === undefined ? "?" : ofAll(free?.cpus, capability.cpus),
    capability === undefined
      ? "?"
      : ofAll(free && formatSize(free.memoryBytes), formatSize(capability.memoryBytes)),
    capability === undefined ? "?" : ofAll(free?.gpus.length, usable),
    [stateOf({ closed, free }), ...leases.flatMap(({ lost }) => keptOf(lost))].join("; "),
  ];
}

function keptOf(lost: NonNullable<KnownHost["leases"]>[number]["lost"]): string[] {
  if (lost?.isKept !== true) return [];
  const until = new Date(lost.untilMs).toISOString().slice(11, 16);
  return [`${lost.execution} is kept until ${until} UTC for a look`];
}

function ofAll(free: number | string | undefined, all: number | string): string {
  return free === undefined ? String(all) : `${free} of ${all} free`;
}

function stateOf({ closed, free }: Pick<KnownHost, "closed" | "free">): string {
  if (closed !== undefined) return closed.replaceAll(/\s*\n\s*/g, " ");
  return free === undefined ? "no service runs" : "takes jobs";
}
