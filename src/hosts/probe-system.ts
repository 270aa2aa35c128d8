import type { DiskFacts, HostFacts } from "./host-facts.ts";
import { type Sections, textOf } from "./probe-sections.ts";

type SystemFacts = Pick<
  HostFacts,
  | "name"
  | "os"
  | "distribution"
  | "kernel"
  | "arch"
  | "cpus"
  | "memoryBytes"
  | "disks"
  | "user"
  | "sudo"
  | "cgroupVersion"
  | "programs"
>;

const ARCHITECTURES: { readonly [machine: string]: string } = {
  x86_64: "x64",
  amd64: "x64",
  aarch64: "arm64",
  arm64: "arm64",
};

/** What the script's parts say of the machine itself. */
export function readSystem(sections: Sections): SystemFacts {
  const [name = "", os = "", kernel = "", machine = "", cpus = ""] = textOf(
    sections,
    "system",
  ).split("\n");
  const cgroups = textOf(sections, "control-groups").trim();
  const user = /\((.+?)\)/.exec(textOf(sections, "user"))?.[1] ?? null;
  return {
    name: name || "unknown",
    os: os.toLowerCase() || "unknown",
    distribution: /^PRETTY_NAME="?([^"\n]+)"?$/m.exec(textOf(sections, "release"))?.[1] ?? null,
    kernel,
    arch: ARCHITECTURES[machine] ?? machine,
    cpus: Number.parseInt(cpus, 10) || 1,
    memoryBytes: readMemory(textOf(sections, "memory")),
    disks: readDisks((sections.get("disk") ?? []).map(({ text }) => text)),
    user,
    sudo: user === "root" || sections.get("sudo")?.[0]?.code === 0,
    cgroupVersion: cgroups === "1" || cgroups === "2" ? cgroups : null,
    programs: readPrograms(textOf(sections, "programs")),
  };
}

/** `MemTotal: 24684092 kB` of /proc/meminfo. */
function readMemory(text: string): number {
  return Number(/^MemTotal:\s+(\d+) kB$/m.exec(text)?.[1] ?? 0) * 1024;
}

/** Of `df -Pk`, each disk once. */
function readDisks(texts: readonly string[]): DiskFacts[] {
  const disks = new Map<string, DiskFacts>();
  for (const text of texts) {
    const match = /^(\S.*?)\s+(\d+)\s+\d+\s+(\d+)\s+\d+%\s+(\/.*)$/m.exec(text);
    if (match === null) continue;
    const [, device = "", total = "", free = "", path = ""] = match;
    const disk = { path, totalBytes: Number(total) * 1024, freeBytes: Number(free) * 1024 };
    disks.set(`${device} ${path}`, disk);
  }
  return [...disks.values()];
}

function readPrograms(text: string): { [name: string]: string } {
  return Object.fromEntries(
    [...text.matchAll(/^(\S+) (\/.*)$/gm)].map(([, name, at]) => [name, at]),
  );
}
