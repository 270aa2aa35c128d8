import { BerthError } from "../../runner/errors.ts";
import type { HostAccess } from "./host-access.ts";
import type { HostFacts } from "./host-facts.ts";
import { openSetupLog } from "./setup/setup-log.ts";
import { type SetupAnswer, setupOnDemand } from "./setup/setup-on-demand.ts";
import type { SetupPart } from "./setup/setup-plan.ts";
import type { SetupEvent } from "./setup-step.ts";

export type WithSetupOptions = {
  readonly allow: readonly SetupPart[];
  /** The engine that is to be there; left out: any. */
  readonly engine?: "docker" | "rootless" | undefined;
  /** Takes every command and what it printed. */
  readonly logFile: string;
  report(event: SetupEvent): void;
  /** Hears what became of it. */
  tell(answer: SetupAnswer): void;
};

/** What failed once fails again until somebody has looked at it. */
const TRY_AGAIN_MS = 3_600_000;

/** The same way to a machine; whatever it lacks for jobs when it is looked at is set up, at most once an hour. */
export function withSetup(access: HostAccess, options: WithSetupOptions): HostAccess {
  let triedAt = Number.NEGATIVE_INFINITY;

  async function probe(signal: AbortSignal): Promise<HostFacts> {
    const facts = await access.probe(signal);
    const lacks = lacksOf(facts, options.engine);
    const isEarly = performance.now() - triedAt < TRY_AGAIN_MS;
    if (isEarly || !(lacks.engine || lacks.nvidia)) return facts;
    triedAt = performance.now();
    await using log = await openSetupLog(options.logFile);
    const answer = await setupOnDemand(access, {
      mode: "auto",
      allow: options.allow,
      wish: { engine: options.engine, nvidia: lacks.nvidia },
      report: options.report,
      ...{ log, signal },
    });
    options.tell(answer);
    return await access.probe(signal);
  }

  return {
    ...access,
    probe,
    async engine(endpoint, signal) {
      try {
        return await access.engine(endpoint, signal);
      } catch (error) {
        const isAbsent = error instanceof BerthError && error.code === "ENGINE_NOT_FOUND";
        if (!isAbsent || endpoint !== undefined) throw error;
        await probe(signal);
        return await access.engine(endpoint, signal);
      }
    },
  };
}

/** GPUs that are there and cannot be used are worth a set-up only where some of them are NVIDIA's: nothing is installed for others. */
function lacksOf(
  { engines, gpus }: HostFacts,
  wanted: "docker" | "rootless" | undefined,
): { readonly engine: boolean; readonly nvidia: boolean } {
  const fitting = engines.filter(
    ({ usable, rootless }) =>
      usable && (wanted === undefined || rootless === (wanted === "rootless")),
  );
  const ofNvidia = gpus.filter(({ vendor }) => vendor === "nvidia");
  return {
    engine: fitting.length === 0,
    nvidia: ofNvidia.length > 0 && !ofNvidia.some(({ usable }) => usable),
  };
}
