import { dockerPackages, missingOf, rootlessPackages } from "./docker-packages.ts";
import { installPackages } from "./install-packages.ts";
import { kernelStep, rangeStep, tunStep } from "./rootless-ground.ts";
import { rootlessUnitSteps } from "./rootless-unit.ts";
import type { SetupFacts } from "./setup-facts.ts";
import type { PlanStep } from "./setup-plan.ts";
import { superviseSteps } from "./supervise-steps.ts";
import type { Supervised } from "./supervisor.ts";

/** Docker for the login user, for which `rootlessObstacle` finds nothing in the way. */
export function rootlessSteps(facts: SetupFacts): PlanStep[] {
  return [
    ...packageSteps(facts),
    ...rangeStep(facts),
    ...tunStep(facts),
    ...kernelStep(facts),
    ...(facts.init === "systemd"
      ? rootlessUnitSteps(facts, environment(facts))
      : superviseSteps(facts, { part: "rootless", supervised: supervised(facts), sudo: "" })),
  ];
}

export function rootlessFolder({ home }: Pick<SetupFacts, "home">): string {
  return `${home}/.local/share/berth-docker`;
}

function packageSteps(facts: SetupFacts): PlanStep[] {
  const wanted = [
    ...dockerPackages(facts),
    ...(rootlessPackages(facts, { fuse: needsFuse(facts), network: networkOf(facts) }) ?? []),
  ];
  const packages = missingOf(wanted, facts);
  const { packageManager } = facts;
  if (packages.length === 0 || packageManager === undefined) return [];
  const why = "They bring the engine, and what lets a user without privileges run it.";
  return [installPackages({ ...facts, packageManager }, { part: "rootless", why, packages })];
}

/** Since Linux 5.11 an ordinary user may mount overlays, but not above an overlay. */
function needsFuse({ kernel, homeFilesystem }: SetupFacts): boolean {
  const [major = 0, minor = 0] = kernel.split(".").map((part) => Number.parseInt(part, 10));
  const isOld = major < 5 || (major === 5 && minor < 11);
  return isOld || homeFilesystem === "overlayfs";
}

/** Red Hat's newest has only the other one. */
function networkOf({
  packageManager,
  distribution,
  programs,
}: SetupFacts): "slirp4netns" | "pasta" {
  if (programs.slirp4netns !== undefined) return "slirp4netns";
  const isNewRed =
    packageManager === "dnf" &&
    distribution.id !== "fedora" &&
    Number.parseInt(distribution.version, 10) >= 10;
  return isNewRed ? "pasta" : "slirp4netns";
}

function environment(facts: SetupFacts): { readonly [name: string]: string } {
  return networkOf(facts) === "pasta"
    ? {
        DOCKERD_ROOTLESS_ROOTLESSKIT_NET: "pasta",
        DOCKERD_ROOTLESS_ROOTLESSKIT_PORT_DRIVER: "implicit",
      }
    : {};
}

function supervised(facts: SetupFacts): Supervised {
  const runtime = facts.rootlessSocket.replace(/\/docker\.sock$/, "");
  return {
    folder: rootlessFolder(facts),
    start: START,
    socket: facts.rootlessSocket,
    pidFiles: [`${runtime}/docker.pid`, `${runtime}/docker/containerd/containerd.pid`],
    environment: { HOME: facts.home, XDG_RUNTIME_DIR: runtime, ...environment(facts) },
    // As the engine will call it: as root of a namespace of its own, who may not write the real root's lock.
    tryPacketFilter:
      'XTABLES_LOCKFILE=/dev/null unshare --map-root-user --net "$1" -w -t nat -L -n >/dev/null 2>&1',
  };
}

/** Debian has the script among examples, Docker's own packages on the PATH. */
const START = `script=$(command -v dockerd-rootless.sh || echo /usr/share/docker.io/contrib/dockerd-rootless.sh)
  mkdir -p -m 700 "$XDG_RUNTIME_DIR"
  "$script"`;
