import type { DindModes } from "../profiles/capability.ts";
import type { EngineFacts, HostFacts, Proved } from "./host-facts.ts";

/** Trials on one engine, by its endpoint; each starts a container that is gone afterwards. */
export type Trials = {
  /** See `tryLimits`. */
  limits(endpoint: string, signal: AbortSignal): Promise<true | string>;
  /** Whether a Docker daemon starts in a container there, as jobs with the label `dind` need it; left out: not tried. */
  dind?(endpoint: string, signal: AbortSignal): Promise<DindModes | undefined>;
};

export type Prover = {
  /**
   * The facts with what each usable engine showed when it was tried. An engine is tried once, and again when it, its version or its machine's start is
   * another. Never throws but when it is aborted: what could not be tried is not there, and is tried the next time.
   */
  prove(facts: HostFacts, signal: AbortSignal): Promise<HostFacts>;
  /** The facts with what was tried before; nothing is tried. */
  recall(facts: HostFacts): HostFacts;
};

/** Keeps what engines showed, for one host. */
export function openProver(trials: Trials): Prover {
  const known = new Map<string, Proved>();

  async function ofEngine(
    engine: EngineFacts,
    facts: HostFacts,
    signal: AbortSignal,
  ): Promise<EngineFacts> {
    if (!engine.usable) return engine;
    const key = keyOf(engine, facts);
    const proved = known.get(key) ?? (await tryAll(engine, trials, signal));
    if (proved === undefined) return engine;
    known.set(key, proved);
    return { ...engine, proved };
  }

  return {
    async prove(facts, signal) {
      const engines = await Promise.all(facts.engines.map((one) => ofEngine(one, facts, signal)));
      return withEngines(facts, engines);
    },
    recall(facts) {
      const engines = facts.engines.map((engine) => {
        const proved = known.get(keyOf(engine, facts));
        return proved === undefined || !engine.usable ? engine : { ...engine, proved };
      });
      return withEngines(facts, engines);
    },
  };
}

function keyOf({ endpoint, id, version }: EngineFacts, { bootId }: HostFacts): string {
  return [endpoint, id, version, bootId].join(" ");
}

function withEngines(facts: HostFacts, engines: readonly EngineFacts[]): HostFacts {
  const disproved = engines.filter(
    ({ enforcesLimits, proved }) => enforcesLimits && typeof proved?.limits === "string",
  );
  return {
    ...facts,
    engines,
    warnings: [
      ...facts.warnings,
      ...disproved.map(({ endpoint, proved }) => ({
        message: `The engine at ${endpoint} takes limits and does not enforce them. ${proved?.limits}`,
        remedy:
          "See that its machine mounts the control group of memory and that the engine may write there; jobs with cpu= or mem= go elsewhere until then.",
      })),
    ],
  };
}

async function tryAll(
  { endpoint, enforcesLimits }: EngineFacts,
  trials: Trials,
  signal: AbortSignal,
): Promise<Proved | undefined> {
  try {
    const limits = enforcesLimits
      ? await trials.limits(endpoint, signal)
      : "The engine says that it enforces no limits.";
    const dind = await trials.dind?.(endpoint, signal).catch(() => {
      signal.throwIfAborted();
      return undefined;
    });
    return { limits, ...(dind !== undefined && { dind }) };
  } catch {
    // No container starts there now, which whoever starts the next one hears in full.
    signal.throwIfAborted();
    return undefined;
  }
}
