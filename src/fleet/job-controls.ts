import type { JobKeeper } from "./job-keeper.ts";

/** Why a job of ours is stopped before its end. */
export type StopReason =
  | { readonly kind: "cancelled"; readonly by: string }
  | { readonly kind: "taken"; readonly runner: string };

/** A job that waits or runs, and can be told to stop. */
export type JobControl = Disposable & {
  readonly keeper: JobKeeper;
  readonly signal: AbortSignal;
  readonly stopped: StopReason | undefined;
  stop(reason: StopReason): void;
};

/** The jobs of this life of the service that have not ended. */
export class JobControls {
  readonly #open = new Map<string, JobControl>();

  /** A job that can be stopped from now on, until it is disposed of. */
  open(keeper: JobKeeper): JobControl {
    const { id } = keeper.record;
    const abort = new AbortController();
    let stopped: StopReason | undefined;
    const control: JobControl = {
      keeper,
      signal: abort.signal,
      get stopped() {
        return stopped;
      },
      stop(reason) {
        // The first reason stays: a job that is cancelled may be told as cancelled on GitHub, too.
        if (stopped !== undefined) return;
        stopped = reason;
        abort.abort(wordsFor(reason));
      },
      [Symbol.dispose]: () => {
        if (this.#open.get(id) === control) this.#open.delete(id);
      },
    };
    this.#open.set(id, control);
    return control;
  }

  get(jobId: string): JobControl | undefined {
    return this.#open.get(jobId);
  }

  /** The job of a run that has this name. */
  named(runId: string, name: string): JobControl | undefined {
    const controls = [...this.#open.values()];
    return controls.find(
      ({ keeper: { record } }) => record.runId === runId && record.name === name,
    );
  }

  get running(): number {
    return [...this.#open.values()].filter(({ keeper }) => keeper.record.state === "running")
      .length;
  }
}

function wordsFor(reason: StopReason): string {
  return reason.kind === "cancelled"
    ? `Cancelled by ${reason.by}.`
    : `The runner ${reason.runner} took the job.`;
}
