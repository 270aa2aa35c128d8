import type { WantedPackage } from "./install-packages.ts";
import type { SetupFacts } from "./setup-facts.ts";

type PackageFacts = Pick<SetupFacts, "packageManager" | "distribution" | "hasDockerCe">;

/** The packages of an engine, by the names they have in this distribution; none where it has no such package. */
export function dockerPackages(facts: PackageFacts): WantedPackage[] {
  const { packageManager, hasDockerCe } = facts;
  if (hasDockerCe && (packageManager === "apt" || packageManager === "dnf")) {
    return [
      { name: "docker-ce", program: "dockerd" },
      { name: "docker-ce-cli", program: "docker" },
      { name: "containerd.io", program: "containerd" },
    ];
  }
  switch (packageManager) {
    case "apt":
      return [
        { name: "docker.io", program: "dockerd" },
        ...(hasSplitClient(facts) ? [{ name: "docker-cli", program: "docker" }] : []),
        { name: "iptables", program: "iptables" },
      ];
    case "dnf":
      return facts.distribution.id === "fedora"
        ? [{ name: "moby-engine", program: "dockerd" }]
        : [];
    case "zypper":
    case "apk":
      return [{ name: "docker", program: "dockerd" }];
    case undefined:
      return [];
    default:
      return packageManager satisfies never;
  }
}

/** From Debian 13 on the client is a package of its own, which docker.io only recommends. */
function hasSplitClient({ distribution: { id, version } }: PackageFacts): boolean {
  return id === "debian" && (version === "" || Number.parseInt(version, 10) >= 13);
}

/** What a rootless engine needs beside the engine's own packages; `undefined` where the distribution lacks it. */
export function rootlessPackages(
  facts: PackageFacts & Pick<SetupFacts, "init" | "hasSessionBus" | "programs">,
  needs: { readonly fuse: boolean; readonly network: "slirp4netns" | "pasta" },
): WantedPackage[] | undefined {
  const kit = kitPackages(facts);
  const idMaps = ID_MAPS[facts.packageManager ?? "apt"];
  if (kit === undefined) return undefined;
  return [
    ...kit,
    { name: idMaps, program: "newuidmap" },
    needs.network === "pasta"
      ? { name: "passt", program: "pasta" }
      : { name: "slirp4netns", program: "slirp4netns" },
    ...(needs.fuse ? [{ name: "fuse-overlayfs", program: "fuse-overlayfs" }] : []),
    ...(facts.packageManager === "apt" && facts.init === "systemd" && !facts.hasSessionBus
      ? [SESSION_BUS]
      : []),
  ];
}

const ID_MAPS = { apt: "uidmap", dnf: "shadow-utils", zypper: "shadow", apk: "shadow-uidmap" };
const HAS_SCRIPT = "rootless_script >/dev/null";
const HAS_KIT = "{ command -v rootlesskit || command -v docker-rootlesskit; } >/dev/null";

/** What starts a dockerd as an ordinary user; in Debian the script is in docker.io itself. */
function kitPackages(
  facts: PackageFacts & Pick<SetupFacts, "programs">,
): WantedPackage[] | undefined {
  const { programs, packageManager, hasDockerCe } = facts;
  const hasKit = programs.rootlesskit ?? programs["docker-rootlesskit"];
  const hasScript = programs["dockerd-rootless.sh"];
  if (hasKit !== undefined && hasScript !== undefined) return [];
  const look = `${HAS_SCRIPT} && ${HAS_KIT}`;
  if (packageManager === undefined) return undefined;
  if (packageManager === "dnf" && !hasDockerCe) return undefined;
  if (hasDockerCe) return [{ name: "docker-ce-rootless-extras", look }];
  return packageManager === "apt"
    ? [{ name: "rootlesskit", look }]
    : [{ name: "docker-rootless-extras", look }];
}

/** Without it systemd keeps no services for a user. */
const SESSION_BUS: WantedPackage = {
  name: "dbus-user-session",
  look: "[ -e /usr/lib/systemd/user/dbus.socket ]",
};

/** Those of which the machine is not known to have the program. A package that is there is not named again: it would be brought to its newest version. */
export function missingOf(
  packages: readonly WantedPackage[],
  { programs }: Pick<SetupFacts, "programs">,
): WantedPackage[] {
  return packages.filter((one) => !("program" in one) || programs[one.program] === undefined);
}
