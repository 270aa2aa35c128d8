import { dockerPackages, rootlessPackages } from "./docker-packages.ts";
import { rootlessSteps } from "./rootless-steps.ts";
import type { SetupFacts } from "./setup-facts.ts";
import type { Obstacle, SetupWish } from "./setup-plan.ts";

/** Why this machine cannot be given the system's Docker; `undefined` when it can, or has it. */
export function dockerObstacle(facts: SetupFacts, { allow }: SetupWish): Obstacle | undefined {
  if (facts.answers.docker) return undefined;
  const part = "docker";
  const kind = wrongSystem(facts);
  if (kind !== undefined) return { part, ...kind };
  if (!allow.includes(part)) return notAllowed(part, "the system's Docker");
  if (facts.sudo === "none") {
    return {
      part,
      reason: `${facts.user} is not root, and may not use sudo without a password, which the system's Docker takes.`,
      remedy: `Allow it (a line "${facts.user} ALL=(ALL) NOPASSWD: ALL" in /etc/sudoers.d), or log in as root.`,
    };
  }
  return noPackages(facts, part);
}

/** Why this login cannot be given a rootless Docker; `undefined` when it can, or has it. */
export function rootlessObstacle(facts: SetupFacts, { allow }: SetupWish): Obstacle | undefined {
  if (facts.answers.rootless) return undefined;
  const part = "rootless";
  const kind = wrongSystem(facts);
  if (kind !== undefined) return { part, ...kind };
  if (!allow.includes(part)) return notAllowed(part, "a rootless Docker");
  if (facts.uid === 0) {
    return {
      part,
      reason: "The login is root, and a rootless engine is that of an ordinary user.",
      remedy: "Log in as an ordinary user who may use sudo without a password.",
    };
  }
  if (["nfs", "cifs", "smb2"].includes(facts.homeFilesystem)) {
    return {
      part,
      reason: `The home folder ${facts.home} lies on ${facts.homeFilesystem}, which cannot hold images of a rootless engine.`,
      remedy: "Log in as a user whose home folder is on a disk of the machine.",
    };
  }
  return noPackages(facts, part) ?? noRootlessPackages(facts) ?? takesSudo(facts);
}

function wrongSystem({ os, distribution }: SetupFacts): Omit<Obstacle, "part"> | undefined {
  if (os === "linux") return undefined;
  return {
    reason: `The machine runs ${distribution.name === "an unknown system" ? os : distribution.name}; set-up is for Linux.`,
    remedy: "Install a container engine there yourself.",
  };
}

function notAllowed(part: "docker" | "rootless", what: string): Obstacle {
  return {
    part,
    reason: `It may not be given ${what}: "${part}" is not among what is allowed.`,
    remedy: `Add "${part}" to setup.allow of the host, or set it up yourself.`,
  };
}

function noPackages(facts: SetupFacts, part: "docker" | "rootless"): Obstacle | undefined {
  if (facts.programs.dockerd !== undefined) return undefined;
  if (facts.packageManager !== undefined && dockerPackages(facts).length > 0) return undefined;
  const { name } = facts.distribution;
  return facts.packageManager === undefined
    ? {
        part,
        reason: `Berth installs packages with apt, dnf, zypper or apk, and ${name} has none of them.`,
        remedy: "Install Docker yourself; then run this again.",
      }
    : {
        part,
        reason: `${name} has no Docker among its own packages.`,
        remedy:
          "Add Docker's package repository (docs.docker.com/engine/install); then run this again.",
      };
}

function noRootlessPackages(facts: SetupFacts): Obstacle | undefined {
  if (rootlessPackages(facts, { fuse: false, network: "slirp4netns" }) !== undefined) {
    return undefined;
  }
  return {
    part: "rootless",
    reason: `${facts.distribution.name} has no package with dockerd-rootless.sh and rootlesskit.`,
    remedy:
      "Add Docker's package repository (docs.docker.com/engine/install), which has docker-ce-rootless-extras.",
  };
}

/** Much of it is the user's own; what is not may have been done by an administrator. */
function takesSudo(facts: SetupFacts): Obstacle | undefined {
  if (facts.sudo !== "none") return undefined;
  const steps = rootlessSteps(facts).filter(({ sudo }) => sudo);
  if (steps.length === 0) return undefined;
  const names = steps.map(({ name }) => `"${name}"`).join(", ");
  return {
    part: "rootless",
    reason: `${facts.user} may not use sudo without a password, which these steps take: ${names}.`,
    remedy: "Have an administrator do these; the rest needs no privileges.",
  };
}
