import { downloadTools } from "./download-tools.ts";
import { installPackages } from "./install-packages.ts";
import { driverObstacle, driverSteps } from "./nvidia-driver.ts";
import { runtimeSteps } from "./nvidia-runtime.ts";
import type { SetupFacts } from "./setup-facts.ts";
import type { Obstacle, PlanStep, SetupWish } from "./setup-plan.ts";

export type NvidiaPlan = {
  /** Before the engine: it finds the toolkit's hook when it starts. */
  readonly before: readonly PlanStep[];
  readonly after: readonly PlanStep[];
  readonly obstacles: readonly Obstacle[];
  readonly notes: readonly string[];
};

/** Driver and container toolkit of NVIDIA, from NVIDIA's own package repositories: distributions lack the toolkit. */
export function planNvidia(facts: SetupFacts, wish: SetupWish): NvidiaPlan {
  const { driverWorks, devices } = facts.nvidia;
  const obstacles = [
    ...(driverWorks ? [] : [driverObstacle(facts, wish)]),
    toolkitObstacle(facts, wish),
  ].filter((one) => one !== undefined);
  if (obstacles.length > 0) return { before: [], after: [], obstacles, notes: [] };
  return {
    before: [...(driverWorks ? [] : driverSteps(facts)), ...toolkitSteps(facts)],
    after: wish.engine === undefined ? [] : runtimeSteps(facts, wish.engine),
    obstacles: [],
    notes: [
      ...(driverWorks
        ? []
        : [
            `The driver is built for the kernel that runs (${devices} GPUs seen). Where Secure Boot is on, its key has to be enrolled at the next boot.`,
          ]),
      ...(wish.engine === "rootless" && facts.answers.docker
        ? [
            "no-cgroups holds for the whole machine: GPUs in containers of the system's Docker, which runs here as well, need --device for /dev/nvidia* afterwards.",
          ]
        : []),
    ],
  };
}

function toolkitObstacle(facts: SetupFacts, { allow }: SetupWish): Obstacle | undefined {
  if (facts.programs["nvidia-ctk"] !== undefined) return undefined;
  const part = "toolkit";
  if (!allow.includes(part)) {
    return {
      part,
      reason: `It may not be given NVIDIA's container toolkit: "toolkit" is not among what is allowed.`,
      remedy: 'Add "toolkit" to setup.allow of the host, or install it yourself.',
    };
  }
  if (facts.packageManager !== "apt" && facts.packageManager !== "dnf") {
    return {
      part,
      reason: `Berth sets NVIDIA's container toolkit up with apt and dnf only, not on ${facts.distribution.name}.`,
      remedy: "Install nvidia-container-toolkit as NVIDIA's guide says; then run this again.",
    };
  }
  if (facts.sudo === "none") {
    return {
      part,
      reason: `${facts.user} may not use sudo without a password, which NVIDIA's container toolkit takes.`,
      remedy: "Have an administrator install nvidia-container-toolkit.",
    };
  }
  return undefined;
}

const KEYRING = "/usr/share/keyrings/nvidia-container-toolkit-keyring.gpg";
const SOURCE = "https://nvidia.github.io/libnvidia-container";

function toolkitSteps(facts: SetupFacts): PlanStep[] {
  const { packageManager } = facts;
  if (facts.programs["nvidia-ctk"] !== undefined || packageManager === undefined) return [];
  const sudo = facts.sudo === "root" ? "" : "sudo ";
  return [
    ...downloadTools(facts, "toolkit"),
    packageManager === "apt" ? aptRepository(sudo) : dnfRepository(sudo),
    installPackages(
      { ...facts, packageManager },
      {
        part: "toolkit",
        why: "It hands GPUs to containers.",
        packages: [{ name: "nvidia-container-toolkit", program: "nvidia-ctk" }],
      },
    ),
  ];
}

function aptRepository(sudo: "" | "sudo "): PlanStep {
  const list = "/etc/apt/sources.list.d/nvidia-container-toolkit.list";
  return {
    ...REPOSITORY,
    changes: `${list} and ${KEYRING} are made`,
    sudo: sudo !== "",
    commands: [
      `curl -fsSL ${SOURCE}/gpgkey | ${sudo}gpg --batch --yes --dearmor -o ${KEYRING}`,
      `curl -fsSL ${SOURCE}/stable/deb/nvidia-container-toolkit.list | sed 's#deb https://#deb [signed-by=${KEYRING}] https://#' | ${sudo}tee ${list} >/dev/null`,
    ],
    check: `[ -s ${KEYRING} ] && grep -qs '^deb \\[signed-by' ${list}`,
    verified: `${list} names a source signed by ${KEYRING}`,
  };
}

function dnfRepository(sudo: "" | "sudo "): PlanStep {
  const list = "/etc/yum.repos.d/nvidia-container-toolkit.repo";
  return {
    ...REPOSITORY,
    changes: `${list} is made, which names the signing key`,
    sudo: sudo !== "",
    commands: [
      `curl -fsSL ${SOURCE}/stable/rpm/nvidia-container-toolkit.repo | ${sudo}tee ${list} >/dev/null`,
    ],
    check: `grep -qs '^gpgkey=' ${list}`,
    verified: `${list} names a source and its key`,
  };
}

const REPOSITORY = {
  part: "toolkit",
  name: "Add NVIDIA's repository of the container toolkit",
  why: "Distributions do not have the toolkit.",
} as const;
