import type {
  DiskFacts,
  HostFacts,
  PackageManager,
  Release,
  RootlessGround,
} from "./host-facts.ts";
import { type Sections, textOf } from "./probe-sections.ts";

type SystemFacts = Pick<
  HostFacts,
  | "name"
  | "os"
  | "distribution"
  | "release"
  | "kernel"
  | "arch"
  | "cpus"
  | "memoryBytes"
  | "disks"
  | "user"
  | "uid"
  | "home"
  | "sudo"
  | "cgroupVersion"
  | "programs"
  | "packageManager"
  | "systemd"
  | "isContainer"
  | "machineId"
  | "bootId"
  | "rootless"
>;

const PACKAGE_MANAGERS: { readonly [program: string]: PackageManager } = {
  "apt-get": "apt",
  dnf: "dnf",
  yum: "yum",
  zypper: "zypper",
  apk: "apk",
  pacman: "pacman",
};

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
  const [, uid, user = null] = /^uid=(\d+)(?:\((.+?)\))?/m.exec(textOf(sections, "user")) ?? [];
  const release = textOf(sections, "release");
  const identity = readFields(textOf(sections, "identity"));
  return {
    name: name || "unknown",
    os: os.toLowerCase() || "unknown",
    distribution: readRelease(release, "PRETTY_NAME") || null,
    release: releaseOf(release),
    kernel,
    arch: ARCHITECTURES[machine] ?? machine,
    cpus: Number.parseInt(cpus, 10) || 1,
    memoryBytes: readMemory(textOf(sections, "memory")),
    disks: readDisks((sections.get("disk") ?? []).map(({ text }) => text)),
    user,
    uid: uid === undefined ? null : Number(uid),
    home: identity.get("home") || null,
    sudo: uid === "0" || sections.get("sudo")?.[0]?.code === 0,
    cgroupVersion: cgroups === "1" || cgroups === "2" ? cgroups : null,
    programs: readPrograms(textOf(sections, "programs")),
    packageManager: PACKAGE_MANAGERS[identity.get("packages") ?? ""] ?? null,
    systemd: identity.has("systemd"),
    isContainer: identity.has("container"),
    // Images and golden disks have it empty, or "uninitialized".
    machineId: /^[0-9a-f]{32}$/.exec(identity.get("machine") ?? "")?.[0] ?? null,
    bootId: identity.get("boot") || null,
    rootless: readGround(readFields(textOf(sections, "ground"))),
  };
}

/** Lines `NAME VALUE`. */
function readFields(text: string): ReadonlyMap<string, string> {
  const fields = text.matchAll(/^(\S+) ?(.*)$/gm);
  return new Map([...fields].map(([, name = "", value = ""]) => [name, value.trim()]));
}

function readRelease(text: string, name: string): string {
  return new RegExp(`^${name}=["']?([^"'\\n]*)["']?$`, "m").exec(text)?.[1] ?? "";
}

function releaseOf(text: string): Release {
  return {
    id: readRelease(text, "ID").toLowerCase(),
    version: readRelease(text, "VERSION_ID"),
    codename: readRelease(text, "VERSION_CODENAME"),
    like: readRelease(text, "ID_LIKE").toLowerCase().split(/\s+/).filter(Boolean),
  };
}

function readGround(fields: ReadonlyMap<string, string>): RootlessGround {
  const tun = fields.get("tun");
  return {
    subUids: Number(fields.get("subuid") || 0),
    subGids: Number(fields.get("subgid") || 0),
    tun: tun === "open" || tun === "shut" ? tun : "missing",
    namespacesForbidden: whyNoNamespaces(fields),
    delegated: (fields.get("controllers") ?? "").split(/\s+/).filter(Boolean),
    lingers: fields.has("lingers"),
    runtimeFolder: fields.get("runtime") || null,
  };
}

function whyNoNamespaces(fields: ReadonlyMap<string, string>): string | null {
  if (fields.get("kernel/unprivileged_userns_clone") === "0") {
    return "kernel.unprivileged_userns_clone is 0";
  }
  if (fields.get("user/max_user_namespaces") === "0") return "user.max_user_namespaces is 0";
  if (fields.get("kernel/apparmor_restrict_unprivileged_userns") === "1") {
    return "AppArmor allows user namespaces only to programs with a profile (kernel.apparmor_restrict_unprivileged_userns is 1)";
  }
  return null;
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
