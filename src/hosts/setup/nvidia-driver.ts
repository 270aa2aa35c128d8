import { downloadTools } from "./download-tools.ts";
import { installPackages, type WantedPackage } from "./install-packages.ts";
import type { SetupFacts } from "./setup-facts.ts";
import type { Obstacle, PlanStep, SetupWish } from "./setup-plan.ts";

const SOURCE = "https://developer.download.nvidia.com/compute/cuda/repos";

/** Why the driver cannot be installed; `undefined` when it can. */
export function driverObstacle(facts: SetupFacts, { allow }: SetupWish): Obstacle | undefined {
  const part = "driver";
  if (facts.nvidia.devices === 0) {
    return {
      part,
      reason: "No GPU of NVIDIA is seen on the machine's PCI bus.",
      remedy: "See whether it is plugged in, or passed through to this virtual machine: lspci.",
    };
  }
  if (!allow.includes(part)) {
    return {
      part,
      reason: `nvidia-smi does not work, and the machine may not be given a driver: "driver" is not among what is allowed.`,
      remedy: 'Add "driver" to setup.allow of the host, or install it yourself.',
    };
  }
  if (repositoryOf(facts) === undefined) {
    return {
      part,
      reason: `Berth installs NVIDIA's driver with apt and dnf only, on Debian, Ubuntu, Fedora, and Red Hat and its kin; this is ${facts.distribution.name}.`,
      remedy: "Install the driver as the distribution says; then run this again.",
    };
  }
  if (facts.sudo === "none") {
    return {
      part,
      reason: `${facts.user} may not use sudo without a password, which NVIDIA's driver takes.`,
      remedy: "Have an administrator install it.",
    };
  }
  return undefined;
}

/** As NVIDIA names the folders of its repository: `debian12/x86_64`, `rhel9/sbsa`. */
function repositoryOf({ distribution, packageManager, machine }: SetupFacts): string | undefined {
  const arch = { x86_64: "x86_64", aarch64: "sbsa" }[machine];
  if (arch === undefined) return undefined;
  const { id, version, like } = distribution;
  const major = version.split(".")[0] ?? "";
  if (packageManager === "apt") {
    if (id === "debian" && major !== "") return `debian${major}/${arch}`;
    return id === "ubuntu" ? `ubuntu${version.replace(".", "")}/${arch}` : undefined;
  }
  if (packageManager !== "dnf" || major === "") return undefined;
  if (id === "fedora") return `fedora${major}/${arch}`;
  return id === "rhel" || like.includes("rhel") ? `rhel${major}/${arch}` : undefined;
}

/** The driver, for which `driverObstacle` finds nothing in the way. */
export function driverSteps(facts: SetupFacts): PlanStep[] {
  const repository = repositoryOf(facts);
  const { packageManager, kernel } = facts;
  if (repository === undefined || packageManager === undefined) return [];
  const sudo = facts.sudo === "root" ? "" : "sudo ";
  const isApt = packageManager === "apt";
  const headers = isApt ? `linux-headers-${kernel}` : `kernel-devel-${kernel}`;
  const packages: WantedPackage[] = [
    { name: headers, look: `[ -e /lib/modules/${kernel}/build ]` },
    { name: "cuda-drivers", program: "nvidia-smi" },
  ];
  const why = "Without it nothing can use the GPU; its module is built for the kernel that runs.";
  return [
    ...downloadTools(facts, "driver"),
    isApt ? aptRepository(repository, sudo) : dnfRepository(repository, sudo),
    installPackages({ ...facts, packageManager }, { part: "driver", why, packages }),
    loadDriver(sudo),
  ];
}

function aptRepository(repository: string, sudo: "" | "sudo "): PlanStep {
  const keyring = "cuda-keyring_1.1-1_all.deb";
  return {
    ...REPOSITORY,
    changes: "the package cuda-keyring is installed, which brings the source and its signing key",
    sudo: sudo !== "",
    commands: [
      `curl -fsSLo /tmp/${keyring} ${SOURCE}/${repository}/${keyring}`,
      `${sudo}dpkg -i /tmp/${keyring}`,
    ],
    cleanup: [`rm -f /tmp/${keyring}`],
    check: "dpkg -s cuda-keyring >/dev/null 2>&1",
    verified: '"dpkg -s cuda-keyring" knows it',
  };
}

function dnfRepository(repository: string, sudo: "" | "sudo "): PlanStep {
  const file = `cuda-${repository.split("/")[0]}.repo`;
  const list = `/etc/yum.repos.d/${file}`;
  return {
    ...REPOSITORY,
    changes: `${list} is made, which names the signing key`,
    sudo: sudo !== "",
    commands: [`curl -fsSL ${SOURCE}/${repository}/${file} | ${sudo}tee ${list} >/dev/null`],
    check: `grep -qs '^gpgkey=' ${list}`,
    verified: `${list} names a source and its key`,
  };
}

const REPOSITORY = {
  part: "driver",
  name: "Add NVIDIA's repository of drivers",
  why: "It has the newest driver for each system.",
} as const;

function loadDriver(sudo: "" | "sudo "): PlanStep {
  return {
    part: "driver",
    name: "Load the driver",
    why: "The kernel has to have the module.",
    changes: "the module nvidia is loaded",
    sudo: sudo !== "",
    commands: [
      `${sudo}modprobe nvidia || { echo 'The module could not be loaded: reboot the machine, then run this again. Another driver (nouveau) may hold the GPU, or Secure Boot refuse the module.' >&2; false; }`,
    ],
    check: "nvidia-smi -L >/dev/null 2>&1",
    verified: '"nvidia-smi -L" lists GPUs',
  };
}
