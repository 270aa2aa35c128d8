import { mountControlGroups } from "./control-group-step.ts";
import { dockerPackages, missingOf } from "./docker-packages.ts";
import { installPackages } from "./install-packages.ts";
import type { PackageManager, SetupFacts } from "./setup-facts.ts";
import type { PlanStep } from "./setup-plan.ts";
import { superviseSteps, waitFor } from "./supervise-steps.ts";
import type { Supervised } from "./supervisor.ts";

export const DOCKER_SOCKET = "/var/run/docker.sock";
export const DOCKER_FOLDER = "/usr/local/lib/berth-docker";

/** The system's Docker, for which `dockerObstacle` finds nothing in the way: its packages, and its start by what starts services here. */
export function dockerSteps(facts: SetupFacts): PlanStep[] {
  const sudo = facts.sudo === "root" ? "" : "sudo ";
  const missing = missingOf(dockerPackages(facts), facts);
  const { packageManager } = facts;
  return [
    ...(missing.length > 0 && packageManager !== undefined
      ? [install({ ...facts, packageManager }, missing)]
      : []),
    ...startSteps(facts, sudo),
  ];
}

function install(
  facts: SetupFacts & { readonly packageManager: PackageManager },
  packages: ReturnType<typeof dockerPackages>,
): PlanStep {
  const why = "They bring the container engine and what it calls.";
  return installPackages(facts, { part: "docker", why, packages });
}

function startSteps(facts: SetupFacts, sudo: "" | "sudo "): PlanStep[] {
  switch (facts.init) {
    case "systemd":
      return [...packetFilter(facts, sudo), startWith(SYSTEMD, sudo)];
    case "openrc":
      return [startWith(OPENRC, sudo)];
    case "none":
      return [
        mountControlGroups(facts),
        ...superviseSteps(facts, { part: "docker", supervised: SUPERVISED, sudo }),
      ];
    default:
      return facts.init satisfies never;
  }
}

type Starter = {
  readonly commands: (sudo: string) => readonly string[];
  readonly isEnabled: string;
  readonly log: string;
};

const SYSTEMD: Starter = {
  commands: (sudo) => [`${sudo}systemctl enable --now docker`],
  isEnabled: "systemctl is-enabled -q docker",
  log: "journalctl -u docker -n 20 --no-pager",
};
const OPENRC: Starter = {
  commands: (sudo) => [`${sudo}rc-update add docker default`, `${sudo}rc-service docker start`],
  isEnabled: "rc-update show default | grep -qw docker",
  log: "tail -n 20 /var/log/docker.log",
};

function startWith({ commands, isEnabled, log }: Starter, sudo: "" | "sudo "): PlanStep {
  return {
    part: "docker",
    name: "Start the engine",
    why: "Containers run in it.",
    changes: "the service docker runs, now and after each boot",
    sudo: sudo !== "",
    commands: [...commands(sudo), waitFor(DOCKER_SOCKET, { sudo, orElse: `${sudo}${log}` })],
    check: `${isEnabled} && as_root docker -H unix://${DOCKER_SOCKET} version >/dev/null 2>&1`,
    verified: `"docker -H unix://${DOCKER_SOCKET} version" answers, and the service starts at boot`,
  };
}

/** Only Debian and its kin have two of them to choose from. */
function packetFilter(facts: SetupFacts, sudo: "" | "sudo "): PlanStep[] {
  if (facts.packageManager !== "apt") return [];
  return [
    {
      part: "docker",
      name: "Find an iptables that works",
      why: "Containers reach the network through the packet filter; a kernel without nftables needs the legacy one.",
      changes: "nothing where iptables works; else the machine's iptables is the legacy variant",
      sudo: sudo !== "",
      commands: [
        `${sudo}iptables -w -t nat -L -n >/dev/null || ${sudo}update-alternatives --set iptables /usr/sbin/iptables-legacy`,
      ],
      check: `${sudo}iptables -w -t nat -L -n >/dev/null 2>&1`,
      verified: '"iptables -t nat -L" lists rules',
    },
  ];
}

const SUPERVISED: Supervised = {
  folder: DOCKER_FOLDER,
  start: `dockerd -H unix://${DOCKER_SOCKET}`,
  socket: DOCKER_SOCKET,
  pidFiles: ["/var/run/docker.pid", "/var/run/docker/containerd/containerd.pid"],
  environment: {},
  tryPacketFilter: '"$1" -w -t nat -L -n >/dev/null 2>&1',
};
