import type { PackageManager, SetupFacts } from "./setup-facts.ts";
import type { PlanStep, SetupPart } from "./setup-plan.ts";

/** A package with a program, or a script that looks, by which one sees that it (or something as good) is there. */
export type WantedPackage = { readonly name: string } & (
  | { readonly program: string }
  | { readonly look: string }
);

type InstallFacts = Pick<SetupFacts, "packageManager" | "sudo" | "init" | "hasServicePolicy">;

export type InstallOptions = {
  readonly part: SetupPart;
  readonly why: string;
  readonly packages: readonly WantedPackage[];
};

/** Debian asks it whether a package may start its service. One that the machine has stays in charge. */
export const POLICY_FILE = "/usr/sbin/policy-rc.d";
const POLICY_MARK = "Put here by Berth while it installs packages; safe to delete.";

/** An installation that was interrupted may have left it. */
export function isOwnPolicy(text: string): boolean {
  return text.includes(POLICY_MARK);
}

/** What Docker's packages may start and enable; which engine runs is another step's choice. */
const DOCKER_UNITS = "docker.service docker.socket containerd.service";

/**
 * Installs packages of the distribution, without what they only recommend, and without starting the services they bring:
 * what is to run, another step starts.
 */
export function installPackages(
  facts: InstallFacts & { readonly packageManager: PackageManager },
  { part, why, packages }: InstallOptions,
): PlanStep {
  const names = packages.map(({ name }) => name).join(" ");
  const sudo = facts.sudo === "root" ? "" : "sudo ";
  const { commands, cleanup } = COMMANDS[facts.packageManager](names, { sudo, facts });
  return {
    part,
    name: `Install ${names.replaceAll(" ", ", ")}`,
    why,
    changes: "packages of the distribution are added; no service of theirs is started or enabled",
    sudo: facts.sudo !== "root",
    commands,
    ...(cleanup.length > 0 && { cleanup }),
    check: packages.map(lookFor).join(" && "),
    verified: `${packages.map((one) => ("program" in one ? one.program : one.name)).join(", ")}: found`,
  };
}

function lookFor(wanted: WantedPackage): string {
  return "program" in wanted ? `command -v ${wanted.program} >/dev/null` : wanted.look;
}

type Commands = { readonly commands: readonly string[]; readonly cleanup: readonly string[] };
type Install = (names: string, how: { sudo: string; facts: InstallFacts }) => Commands;

const COMMANDS: { readonly [manager in PackageManager]: Install } = {
  apt(names, { sudo, facts }) {
    const lock = "-o DPkg::Lock::Timeout=300";
    const silence = `printf '%s\\n' '#!/bin/sh' '# ${POLICY_MARK}' 'exit 101' | ${sudo}tee ${POLICY_FILE} >/dev/null && ${sudo}chmod 755 ${POLICY_FILE}`;
    const restore = `! grep -qs 'Put here by Berth' ${POLICY_FILE} || ${sudo}rm -f ${POLICY_FILE}`;
    return {
      commands: [
        // What an installation that was interrupted left has to be finished before apt does anything else.
        `${sudo}dpkg --configure -a`,
        ...(facts.hasServicePolicy ? [] : [silence]),
        // A repository of others that is broken must not keep this from the distribution's own.
        `${sudo}apt-get ${lock} update || echo 'goes on with the package lists that are there'`,
        `${sudo}env DEBIAN_FRONTEND=noninteractive apt-get ${lock} install -y --no-install-recommends ${names}`,
        ...keepFromBooting(names, { sudo, facts }),
      ],
      cleanup: facts.hasServicePolicy ? [] : [restore],
    };
  },
  // Services of these are not started by their packages.
  dnf: (names, { sudo }) => ({
    commands: [`${sudo}dnf install -y ${names}`],
    cleanup: [],
  }),
  zypper: (names, { sudo }) => ({
    commands: [
      `${sudo}env ZYPP_LOCK_TIMEOUT=300 zypper --non-interactive install --no-recommends ${names}`,
    ],
    cleanup: [],
  }),
  apk: (names, { sudo }) => ({ commands: [`${sudo}apk --wait 300 add ${names}`], cleanup: [] }),
};

/** Debian's packages enable their services for the next boot. */
function keepFromBooting(
  names: string,
  { sudo, facts }: { sudo: string; facts: InstallFacts },
): string[] {
  const bringsEngine = /\bdocker(\.io|-ce)\b/.test(names);
  return bringsEngine && facts.init === "systemd"
    ? [`${sudo}systemctl disable ${DOCKER_UNITS}`]
    : [];
}
