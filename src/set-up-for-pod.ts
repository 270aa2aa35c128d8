import type { SetupAttempt } from "./containers/pods/pod-answer.ts";
import type { PodHost } from "./containers/pods/pod-host.ts";
import type { HostAccess } from "./hosts/host-access.ts";
import { type SetupMode, setupOnDemand } from "./hosts/setup/setup-on-demand.ts";
import type { SetupPart } from "./hosts/setup/setup-plan.ts";

/**
 * Sets up what a machine lacks for a container: an engine where none is usable, and what makes its GPUs usable where some are asked for. A machine that has
 * what is needed is not touched, and not planned for either.
 */
export function setUpForPod(
  access: HostAccess,
  { mode, allow }: { readonly mode: SetupMode; readonly allow: readonly SetupPart[] },
): PodHost["setUp"] {
  if (mode === "never" || access.shell === undefined) return undefined;
  return async ({ gpu }, signal) => {
    const { engines, gpus } = await access.probe(signal);
    const lacksEngine = !engines.some(({ usable }) => usable);
    const lacksGpu = gpu && gpus.length > 0 && !gpus.some(({ usable }) => usable);
    if (!lacksEngine && !lacksGpu) return [];
    const wish = { engine: undefined, nvidia: lacksGpu };
    const answer = await setupOnDemand(access, { mode, allow, wish, signal });
    const attempts = answer.attempts.map(
      ({ step, outcome, why, commands }): SetupAttempt => ({
        what: step,
        result: outcome === "present" ? "skipped" : outcome,
        detail: outcome === "planned" ? `${why}: ${commands.join("; ")}` : why,
      }),
    );
    const { fallbackReason, error, obstacles } = answer;
    const said = [fallbackReason, error?.message, ...obstacles.map(({ reason }) => reason)];
    return [
      ...attempts,
      ...said.flatMap((detail): SetupAttempt[] =>
        detail === undefined ? [] : [{ what: "set-up", result: "failed", detail }],
      ),
    ];
  };
}
