import { textOf } from "../runner/errors.ts";
import { tryLimits } from "./containers/try-limits.ts";
import type { HostAccess } from "./hosts/host-access.ts";
import type { HostFacts } from "./hosts/host-facts.ts";
import { openProver } from "./hosts/prove-host.ts";
import { tryDind } from "./hosts/try-dind.ts";
import type { Log } from "./log.ts";
import type { ReadyEngines } from "./ready-engines.ts";

/** Finds out in the background what engines really do. Disposing of it waits for what a trial made to be removed. */
export type EngineTrials = AsyncDisposable & {
  /** The facts with what was found out so far. */
  recall(facts: HostFacts): HostFacts;
  /** Tries what was not tried yet; a trial that runs goes on. */
  begin(facts: HostFacts): void;
};

/** Trials of a host's engines: those that were made ready for jobs, no others. */
export function tryEngines(
  engines: ReadyEngines,
  { access, log }: { readonly access: HostAccess; readonly log: Log },
): EngineTrials {
  const stopping = new AbortController();
  let running: Promise<void> | undefined;
  const prover = openProver({
    async limits(endpoint, signal) {
      const { engine, jobImage } = await engines.once(endpoint, signal);
      return await tryLimits(engine.docker, jobImage, signal);
    },
    dind: async (endpoint, signal) => await tryDind(await access.engine(endpoint, signal), signal),
  });

  async function prove(facts: HostFacts): Promise<void> {
    try {
      const ready = facts.engines.filter(({ endpoint }) => engines.has(endpoint));
      await prover.prove({ ...facts, engines: ready }, stopping.signal);
    } catch (error) {
      if (stopping.signal.aborted) return;
      log.debug({ host: access.name, cause: textOf(error) }, "an engine could not be tried");
    } finally {
      running = undefined;
    }
  }

  return {
    recall: prover.recall,
    begin(facts) {
      running ??= prove(facts);
    },
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await running;
    },
  };
}
