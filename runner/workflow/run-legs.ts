import PQueue from "p-queue";
import type { JobResult } from "../job/execute-job.ts";
import type { Conclusion, JobDescription } from "../job/job-description.ts";
import type { JobEvent } from "../job/job-event.ts";
import type { PlannedLeg, Strategy } from "./describe-job.ts";
import type { JobOutcome, RunSlots } from "./run-plan.ts";
import { waitTurn } from "./wait-turn.ts";

/** A leg that an earlier life gave to `runLeg`, and when it ended: milliseconds since 1970. */
export type BegunLeg = { readonly endedAtMs?: number | undefined };

type RunLegsDeps = {
  readonly slots: RunSlots;
  /** The workflow's own concurrency group: a job that asks for it too would wait for itself. */
  readonly ownGroup?: string;
  /** By id: legs that are given to `runLeg` in any case. */
  readonly begun: ReadonlyMap<string, BegunLeg>;
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
  const { ended, open } = byTheirEnd(legs, deps.begun);
  const earlier: Conclusion[] = [];
  // In the order in which they ended, and past gate and groups, which others may hold by now.
  for (const leg of ended) {
    earlier.push(takeResult(leg, await deps.runLeg(leg.description, signal)));
  }
  const conclusions = await Promise.all(
    open.map(async (leg) => {
      const conclusion = await waitTurn(gate, () => runLeg(leg), signal);
      if (conclusion !== undefined) return conclusion;
      // One that comes back keeps others out of its group until it has cleaned up.
      return deps.begun.has(leg.description.id)
        ? await runLeg(leg)
        : takeResult(leg, cancelLeg(leg, deps, signal.reason));
    }),
  );
  return { result: conclude([...earlier, ...conclusions]), outputs };
}

function byTheirEnd(
  legs: readonly PlannedLeg[],
  begun: RunLegsDeps["begun"],
): { readonly ended: readonly PlannedLeg[]; readonly open: readonly PlannedLeg[] } {
  const endOf = ({ description }: PlannedLeg) => begun.get(description.id)?.endedAtMs;
  return {
    ended: legs
      .filter((leg) => endOf(leg) !== undefined)
      .toSorted((a, b) => (endOf(a) ?? 0) - (endOf(b) ?? 0)),
    open: legs.filter((leg) => endOf(leg) === undefined),
  };
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
    return await endLeg(leg, deps, reason);
  }
  const isBack = deps.begun.has(leg.description.id);
  using place = await deps.slots.groups.enter(concurrency, signal, { isBack });
  if (place) {
    return await runInSlot(leg, deps, AbortSignal.any([signal, place.cancelled]));
  }
  const reason = signal.aborted
    ? signal.reason
    : `A newer job waits for the concurrency group '${group}'.`;
  return await endLeg(leg, deps, reason);
}

async function runInSlot(
  leg: PlannedLeg,
  deps: RunLegsDeps,
  signal: AbortSignal,
): Promise<JobResult> {
  const run = () => deps.runLeg(leg.description, signal);
  const result = await waitTurn(deps.slots.queue, run, signal);
  return result ?? (await endLeg(leg, deps, signal.reason));
}

/** A leg whose turn does not come. One that an earlier life began may still hold something. */
async function endLeg(leg: PlannedLeg, deps: RunLegsDeps, reason: unknown): Promise<JobResult> {
  return deps.begun.has(leg.description.id)
    ? await deps.runLeg(leg.description, AbortSignal.abort(reason))
    : cancelLeg(leg, deps, reason);
}

function cancelLeg(
  { description }: PlannedLeg,
  { report }: RunLegsDeps,
  reason: unknown,
): JobResult {
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
