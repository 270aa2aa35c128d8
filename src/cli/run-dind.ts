import type { Engine } from "../containers/connect-engine.ts";
import type { DindMode } from "../containers/dind/dind-request.ts";
import type { JobDind } from "../containers/dind/job-dind.ts";
import { type DindImageOptions, prepareDindImage } from "../hosts/dind-image.ts";

/** The Docker daemons of the jobs of one `berth run`; their image is made once, when the first of them asks. */
export function dindOfRun(
  { docker }: Engine,
  {
    mode = "rootless",
    ...options
  }: Pick<DindImageOptions, "stateFolder" | "copyFrom"> & { readonly mode?: DindMode | undefined },
): JobDind {
  let made: Promise<string> | undefined;
  return {
    mode,
    image: (work) => {
      made ??= prepareDindImage(docker, { ...options, ...work }).catch((error: unknown) => {
        made = undefined; // whoever asks next may have more time
        throw error;
      });
      return made;
    },
    remedy: REMEDIES[mode],
  };
}

const REMEDIES: { readonly [mode in DindMode]: string } = {
  rootless:
    "Where a rootless daemon cannot work, add the flag --dind capabilities: that makes the job as good as root on this machine.",
  capabilities: "Try --dind privileged, or --dind rootless.",
  privileged: "Try --dind rootless, or --dind capabilities.",
};
