import PQueue from "p-queue";
import type { JobResult } from "../job/execute-job.ts";
import type { Conclusion, JobDescription } from "../job/job-description.ts";
import type { JobEvent } from "../job/job-event.ts";
import type { PlannedLeg, Strategy } from "./describe-job.ts";
import type { JobOutcome, RunSlots } from "./run-plan.ts";
import { waitTurn } from "./wait-turn.ts";

type RunLegsDeps = {
  readonly slots: RunSlots;
  /** The workflow's own concurrency group: a job that asks for it too would wait for itself. */
  readonly ownGroup?: string;
  /** Ids of legs that are given to `runLeg` in any case. */
  readonly begun: ReadonlySet<string>;
  runLeg(job: JobDescription, signal: AbortSignal): Promise<JobResult>;
  report(event: JobEvent): void;
  /** The job's `if` again, after a cancellation: true lets its legs go on. */
  isStillWanted(): Promise<boolean>;
  /** `broken`: nothing can run any more, `if` or not. */
  readonly signals: { readonly cancelled: AbortSignal; readonly broken: AbortSignal };
};

/** Runs all legs of one job and makes one outcome of theirs; the last leg to finish wins an output. */
export async function runLegs(
  { strategy, legs }: { readonly strategy: Strategy; readonly legs: readonly PlannedLeg[] },
  deps: RunLegsDeps,
): Promise<JobOutcome> {
  // Gates which legs are eligible; what runs at once on this machine is the shared queue's business.
  const gate = new PQueue({ concurrency: strategy.maxParallel });
  const stop = new AbortController();
  const outputs: { [name: string]: string } = {};
  const { cancelled } = deps.signals;
  const dropUnwanted = async () => {
    const isWanted = await deps.isStillWanted().catch(() => false);
    if (!isWanted) stop.abort("The run was cancelled.");
  };
  if (cancelled.aborted) await dropUnwanted();
  using _listening = onAbort(cancelled, dropUnwanted);
  const signal = AbortSignal.any([stop.signal, deps.signals.broken]);

  const takeResult = (leg: PlannedLeg, result: JobResult): Conclusion => {
    for (const [name, value] of Object.entries(result.outputs)) {
      if (value !== "") outputs[name] = value;
    }
    if (result.conclusion === "failure" && leg.continueOnError) return "success";
    if (result.conclusion === "failure" && strategy.failFast) {
      stop.abort("Another job of the matrix failed, and fail-fast is on.");
    }
    return result.conclusion;
  };
  // All that follows from a leg's end happens before the gate lets the next one in.
  const runLeg = async (leg: PlannedLeg) => takeResult(leg, await runInGroup(leg, deps, signal));
  const conclusions = await Promise.all(
    legs.map(async (leg) => {
      const conclusion = await waitTurn(gate, () => runLeg(leg), signal);
      return conclusion ?? takeResult(leg, await cancelLeg(leg, deps, signal.reason));
    }),
  );
  return { result: conclude(conclusions), outputs };
}

async function runInGroup(
  leg: PlannedLeg,
  deps: RunLegsDeps,
  signal: AbortSignal,
): Promise<JobResult> {
  const { concurrency } = leg;
  if (!concurrency) return await runInSlot(leg, deps, signal);

  const { group } = concurrency;
  if (group.toLowerCase() === deps.ownGroup?.toLowerCase()) {
    const reason = `The workflow itself holds the concurrency group '${group}' that this job asks for.`;
    return await cancelLeg(leg, deps, reason);
  }
  using place = await deps.slots.groups.enter(concurrency, signal);
  if (place) {
    return await runInSlot(leg, deps, AbortSignal.any([signal, place.cancelled]));
  }
  const reason = signal.aborted
    ? signal.reason
    : `A newer job waits for the concurrency group '${group}'.`;
  return await cancelLeg(leg, deps, reason);
}

async function runInSlot(
  leg: PlannedLeg,
  deps: RunLegsDeps,
  signal: AbortSignal,
): Promise<JobResult> {
  const run = () => deps.runLeg(leg.description, signal);
  const result = await waitTurn(deps.slots.queue, run, signal);
  return result ?? (await cancelLeg(leg, deps, signal.reason));
}

/** A leg whose turn does not come. One that an earlier life began may still hold something. */
async function cancelLeg(
  { description }: PlannedLeg,
  { begun, runLeg, report }: RunLegsDeps,
  reason: unknown,
): Promise<JobResult> {
  if (begun.has(description.id)) return await runLeg(description, AbortSignal.abort(reason));
  report({
    type: "job_finished",
    job: description.job,
    name: description.name,
    conclusion: "cancelled",
    outputs: {},
    ms: 0,
    ...(typeof reason === "string" && { reason }),
  });
  return { conclusion: "cancelled", outputs: {} };
}

function conclude(conclusions: readonly Conclusion[]): Conclusion {
  if (conclusions.includes("failure")) return "failure";
  return conclusions.includes("cancelled") ? "cancelled" : "success";
}

function onAbort(signal: AbortSignal, react: () => Promise<void>): Disposable {
  const listener = (): void => void react();
  signal.addEventListener("abort", listener, { once: true });
  return { [Symbol.dispose]: () => signal.removeEventListener("abort", listener) };
}
