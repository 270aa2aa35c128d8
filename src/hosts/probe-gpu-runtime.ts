import type { EngineFacts, HostFacts } from "./host-facts.ts";
import type { Unusable } from "./probe-nvidia-failure.ts";

type Terms = Pick<HostFacts, "engines" | "programs" | "deviceInterfaces"> & {
  readonly noCgroups: boolean | null;
};

/** Why no engine here can hand a GPU of NVIDIA's to a container; `undefined` when one can. */
export function whyNoNvidiaContainer(terms: Terms): Unusable | undefined {
  const { engines, programs, deviceInterfaces } = terms;
  const usable = engines.filter((engine) => engine.usable);
  if (usable.length === 0) return noEngine(engines);
  if (usable.some((engine) => canHandOut(engine, terms))) return undefined;
  if (terms.noCgroups === false && usable.every(({ rootless }) => rootless)) {
    return {
      reason:
        "No engine here can give it to a container: they run rootless, and no-cgroups is not set for the NVIDIA toolkit.",
      remedy:
        "Run `sudo nvidia-ctk config --set nvidia-container-cli.no-cgroups --in-place`; system Docker on that machine then needs the Container Device Interface.",
    };
  }
  const hasToolkit = "nvidia-ctk" in programs || "nvidia-container-cli" in programs;
  if (deviceInterfaces.length > 0) {
    return {
      reason:
        "No engine here can give it to a container: it is named for the Container Device Interface, which no engine here reads.",
      remedy:
        'Update Docker to 28 or later, or turn the feature on: `{"features": {"cdi": true}}` in /etc/docker/daemon.json; or use the toolkit\'s runtime.',
    };
  }
  return hasToolkit
    ? {
        reason: "No engine here can give it to a container: the toolkit's runtime is not set up.",
        remedy:
          "Run `sudo nvidia-ctk runtime configure --runtime=docker` and restart Docker; the package nvidia-container-toolkit has the runtime.",
      }
    : {
        reason:
          "No engine here can give it to a container: the NVIDIA container toolkit is missing.",
        remedy:
          "Install the package nvidia-container-toolkit, run `sudo nvidia-ctk runtime configure --runtime=docker` and restart Docker.",
      };
}

/** Why none of the engines can hand out a GPU that goes by its device nodes. */
export function whyNoNodes(engines: readonly EngineFacts[], isShut: boolean): Unusable | undefined {
  const usable = engines.filter((engine) => engine.usable);
  if (usable.length === 0) return noEngine(engines);
  if (!isShut || usable.some(({ rootless }) => !rootless)) return undefined;
  return {
    reason: "The engine runs as a user who may not open its device nodes.",
    remedy: "Put the user into the groups render and video, and start the engine anew.",
  };
}

function canHandOut(
  { runtimes, cdi, rootless }: EngineFacts,
  { programs, deviceInterfaces, noCgroups }: Terms,
): boolean {
  if (cdi && deviceInterfaces.length > 0) return true;
  // The runtime sets rules of control groups, which an ordinary user may not.
  if (rootless && noCgroups === false) return false;
  const hooks = ["nvidia-container-runtime-hook", "nvidia-container-runtime"];
  return runtimes.includes("nvidia") || hooks.some((one) => one in programs);
}

function noEngine(engines: readonly EngineFacts[]): Unusable {
  return {
    reason: "No container engine can be used here.",
    remedy:
      engines[0]?.remedy ?? "Run `berth host setup`, or `berth doctor --fix` on this machine.",
  };
}
