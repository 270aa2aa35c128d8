import { setTimeout as sleep } from "node:timers/promises";
import { BerthError, textOf } from "../../runner/errors.ts";
import { adoptable } from "../adoption/adoptable.ts";
import { type ReadRunFacts, readRunFacts } from "../adoption/read-run-facts.ts";
import { RunSnapshot } from "../adoption/run-facts.ts";
import type { ServiceConfig } from "../config/resolve-files.ts";
import type { Installation } from "../github/installation.ts";
import { findTrigger } from "../intake/find-trigger.ts";
import type { Log } from "../log.ts";
import { judgeRun } from "../policy/policy.ts";
import type { RunRecord } from "../store/records.ts";
import type { Store } from "../store/store.ts";
import type { Claim } from "./claim.ts";
import { persist } from "./persist.ts";
import type { Adoption } from "./run-life.ts";

export type AdoptRunDeps = {
  readonly config: Pick<ServiceConfig, "policy" | "mixed" | "github">;
  readonly claim: Claim;
  readonly installation: Installation;
  readonly store: Pick<Store, "triggers" | "jobs">;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** How long the event that started the run may take to come, when it is not here yet, in milliseconds. */
  readonly eventTimeoutMs?: number;
};

/** The sweep asks for lost deliveries each minute, and a redelivery takes a moment. */
const EVENT_TIMEOUT_MS = 3 * 60_000;
/** The pause doubles: each look asks GitHub anew. */
const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 15_000;

/** Finds out what a run is and whether it is ours to run; of one that an earlier life has read, the facts are as they were. */
export async function adoptRun(run: RunRecord, deps: AdoptRunDeps): Promise<Adoption> {
  const facts = await factsOf(run, deps);
  if (typeof facts === "string") return { kind: "left", reason: facts };

  const { config, claim, store, log } = deps;
  const denial = run.state === "adopted" ? undefined : judgeRun(config.policy, facts, run);
  if (denial !== undefined) {
    const { rule, reason, remedy } = denial;
    return { kind: "left", reason: `Denied by ${rule}: ${reason} ${remedy}` };
  }
  const begun = new Set((await store.jobs.ofRun(run.id)).map(({ labels }) => labels.join("\n")));
  // A profile may be gone since: jobs that were begun under it are still ours.
  const isOurs = (labels: readonly string[]) =>
    claim.isOurs(labels) || begun.has(labels.join("\n"));
  // What was adopted is gone on with.
  const mixed = run.state === "adopted" ? "run" : config.mixed;
  const answer = await adoptable({ facts, isOurs, mixed });
  const warnings = answer.kind === "yes" && run.state !== "adopted" ? answer.warnings : [];
  for (const warning of warnings) log.warn({ run: run.id, warning }, "part of a run is left");
  return answer.kind === "no"
    ? { kind: "left", reason: answer.reason }
    : { ...answer, kind: "adopted", facts, carried: run.carried ?? (await carriedOver(run, deps)) };
}

/** GitHub lists in each attempt all jobs of the run; those that it does not run again have ended before anything of the attempt begins. */
async function carriedOver(run: RunRecord, deps: AdoptRunDeps): Promise<string[]> {
  const { repository, githubRunId, attempt, rerunOf } = run;
  if (attempt === 1 || rerunOf !== undefined) return [];
  const { installation, log, signal } = deps;
  const list = () => installation.runJobs(repository, githubRunId, attempt);
  const jobs = await persist(`list the jobs of run ${run.id}`, list, { log, signal });
  return (jobs ?? []).filter(({ status }) => status === "completed").map(({ name }) => name);
}

/** Or why they cannot be had. */
async function factsOf(run: RunRecord, deps: AdoptRunDeps): Promise<RunSnapshot | string> {
  if (run.facts !== undefined) return RunSnapshot.parse(run.facts);
  const { config, installation, store, log, signal, eventTimeoutMs = EVENT_TIMEOUT_MS } = deps;
  const { github } = config;
  const read = () =>
    readRunFacts({
      ...{ run, installation, findTrigger, triggers: store.triggers },
      ...{ serverUrl: github.url, apiUrl: github.apiUrl },
    });
  const until = Date.now() + eventTimeoutMs;
  try {
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
      const answer = await persist(`read what run ${run.id} is`, read, { log, signal });
      if (answer === undefined) throw signal.reason;
      if (!lacksEvent(answer) || Date.now() > until) {
        return answer.kind === "left" ? answer.reason : answer.facts;
      }
      await sleep(pauseMs, undefined, { signal });
    }
  } catch (error) {
    if (error instanceof BerthError && error.code === "GITHUB_REFUSED") return textOf(error);
    throw error;
  }
}

/** The event that started the run may be on its way; of a schedule GitHub tells nobody. */
function lacksEvent(answer: ReadRunFacts): boolean {
  if (answer.kind === "left") return answer.lacksEvent;
  const { event, payloadMissing } = answer.facts;
  return payloadMissing !== undefined && event !== "schedule";
}
