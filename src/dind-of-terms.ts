import type { Engine } from "./containers/connect-engine.ts";
import type { DindMode } from "./containers/dind/dind-request.ts";
import type { JobDind } from "./containers/dind/job-dind.ts";
import type { ImageSupply } from "./containers/image-supply.ts";
import { ensureImage } from "./containers/images.ts";
import type { PlaceTerms } from "./fleet/host-places.ts";
import { prepareDindImage } from "./hosts/dind-image.ts";

/** The Docker daemon of a job of the service, as its labels and its profile have it; `undefined` where it gets none. */
export function dindOfTerms(
  { docker, dockerConfigDir }: Engine,
  { need, dind: { mode, image: named } = { mode: "rootless" } }: Pick<PlaceTerms, "need" | "dind">,
  {
    stateFolder,
    supply,
  }: { readonly stateFolder: string; readonly supply?: ImageSupply | undefined },
): JobDind | undefined {
  if (!need.dind) return undefined;
  return {
    mode,
    async image(work) {
      if (named === undefined) {
        const copyFrom = supply?.copyFrom;
        return await prepareDindImage(docker, { stateFolder, copyFrom, ...work });
      }
      const { name } = await ensureImage(docker, named, {
        supply: { dockerConfigDir, ...supply },
        ...work,
      });
      return name;
    },
    remedy: remedyFor(mode, need.profile),
  };
}

/** What an operator adds to `berth.yml`. */
function remedyFor(mode: DindMode, profile = "NAME"): string {
  const other = mode === "capabilities" ? "privileged" : "capabilities";
  const asRoot = "jobs of that profile are as good as root on the host then";
  return [
    `Where a daemon cannot run in the mode ${mode}, berth.yml can allow another one (${asRoot}):`,
    "policy:",
    "  privileged: allow",
    "profiles:",
    `  ${profile}:`,
    "    needs: { dind: true }",
    `    dind: { mode: ${other} }`,
    ...(profile === "NAME"
      ? ["and the job asks for that profile: runs-on: [self-hosted, NAME]"]
      : []),
  ].join("\n");
}
