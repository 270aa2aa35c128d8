import { quote } from "../../../runner/quote.ts";
import type { SetupFacts } from "./setup-facts.ts";
import type { PlanStep } from "./setup-plan.ts";
import { writeFileCommand } from "./write-file.ts";

/** As many ids as an image has, at least. */
const RANGE_SIZE = 65_536;
/** Below are the machine's own users. */
const FIRST_ID = 100_000;

/** Ids that are the user's own, for the users within containers. */
export function rangeStep(facts: SetupFacts): PlanStep[] {
  const { user, uid } = facts;
  const files = (["subuid", "subgid"] as const).filter((file) => !hasRange(facts[file], facts));
  if (files.length === 0) return [];
  const look = `awk -F: -v n=${quote(user)} -v u=${uid} '($1 == n || $1 == u) && $3 >= ${RANGE_SIZE} { ok = 1 } END { exit !ok }'`;
  return [
    {
      part: "rootless",
      name: `Give ${user} ids for containers`,
      why: "The users within a rootless container are ids of the machine that nobody else has.",
      changes: files.map((file) => `/etc/${file} gets a line`).join(", "),
      sudo: true,
      commands: files.map(
        (file) =>
          `echo ${quote(`${user}:${nextFree(facts[file])}:${RANGE_SIZE}`)} | sudo tee -a /etc/${file} >/dev/null`,
      ),
      check: `${look} /etc/subuid && ${look} /etc/subgid`,
      verified: `/etc/subuid and /etc/subgid give ${user} ${RANGE_SIZE} ids or more`,
    },
  ];
}

type Range = { readonly owner: string; readonly first: number; readonly size: number };

function hasRange(lines: readonly string[], { user, uid }: SetupFacts): boolean {
  return lines
    .flatMap(readRange)
    .some(({ owner, size }) => [user, String(uid)].includes(owner) && size >= RANGE_SIZE);
}

function nextFree(lines: readonly string[]): number {
  return Math.max(FIRST_ID, ...lines.flatMap(readRange).map(({ first, size }) => first + size));
}

function readRange(line: string): Range[] {
  const [owner = "", first, size] = line.split(":");
  return owner !== "" && Number(first) >= 0 && Number(size) > 0
    ? [{ owner, first: Number(first), size: Number(size) }]
    : [];
}

/** The network of a rootless engine is a device that a program of the user's feeds. */
export function tunStep({ tun }: SetupFacts): PlanStep[] {
  if (tun === "open") return [];
  const node = "/dev/net/tun";
  return [
    {
      part: "rootless",
      name: `Open ${node}`,
      why: "The network of a rootless engine goes through it.",
      changes: `${node} may be used by every user, as most distributions have it`,
      sudo: true,
      commands: [
        ...(tun === "missing"
          ? [
              `sudo modprobe tun 2>/dev/null || true`,
              `[ -e ${node} ] || { sudo mkdir -p /dev/net && sudo mknod ${node} c 10 200; }`,
            ]
          : []),
        `sudo chmod 666 ${node}`,
      ],
      check: `[ -r ${node} ] && [ -w ${node} ]`,
      verified: `${node} can be read and written by this user`,
    },
  ];
}

const SYSCTL_FILE = "/etc/sysctl.d/99-berth-rootless.conf";
const PROFILE_FILE = "/etc/apparmor.d/berth.rootlesskit";

/** Some distributions keep users from making namespaces. */
export function kernelStep(facts: SetupFacts): PlanStep[] {
  const { most, forbidden, restrictedByAppArmor } = facts.userNamespaces;
  const settings = [
    ...(forbidden ? ["kernel.unprivileged_userns_clone=1"] : []),
    ...(most === 0 ? ["user.max_user_namespaces=28633"] : []),
  ];
  return [
    ...(settings.length > 0 ? [allowNamespaces(settings)] : []),
    ...(restrictedByAppArmor ? [appArmorProfile(facts)] : []),
  ];
}

function allowNamespaces(settings: readonly string[]): PlanStep {
  const text = settings.map((line) => `${line}\n`).join("");
  const write = writeFileCommand(SYSCTL_FILE, { text, sudo: "sudo " });
  const keys = settings.map((line) => line.split("=")[0]).join(" ");
  return {
    part: "rootless",
    name: "Let users make namespaces",
    why: "A rootless engine runs in a user namespace, which this kernel is told to refuse.",
    changes: `${SYSCTL_FILE} is made; every user of the machine may then make user namespaces`,
    sudo: true,
    commands: [write.command, `sudo sysctl -p ${SYSCTL_FILE}`],
    check: `for key in ${keys}; do [ "$(sysctl -n $key)" -gt 0 ] || exit 1; done`,
    verified: `sysctl says so of ${keys}`,
  };
}

/** Ubuntu from 23.10 on. Docker's own packages bring such a profile. */
function appArmorProfile({ programs }: SetupFacts): PlanStep {
  const program = programs.rootlesskit ?? programs["docker-rootlesskit"] ?? "/usr/bin/rootlesskit";
  const text = `abi <abi/4.0>,
include <tunables/global>

profile berth-rootlesskit ${program} flags=(unconfined) {
  userns,
}
`;
  const write = writeFileCommand(PROFILE_FILE, { text, sudo: "sudo " });
  return {
    part: "rootless",
    name: "Let rootlesskit make namespaces",
    why: "AppArmor allows it here only to programs that have a profile.",
    changes: `${PROFILE_FILE} is made and loaded`,
    sudo: true,
    commands: [write.command, `sudo apparmor_parser -r ${PROFILE_FILE}`],
    check: write.check,
    verified: `${PROFILE_FILE} is there and says just that`,
  };
}
