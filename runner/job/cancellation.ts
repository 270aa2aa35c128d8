import type { Json } from "../expressions/template.ts";

const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Why a job is cancelled: its user asked, or its time was up. */
export type CancelReason = "asked" | "timeout";

/** `isNews` is false when an earlier life of the job has told of it. */
export type CancelNews = { readonly reason: CancelReason; readonly isNews: boolean };

/**
 * A job's way from running to cancelled, and from there to being torn down when it takes too long. While an earlier life is
 * replayed nothing new is cancelled; what was cancelled then is known from the notes of its commands.
 */
export class Cancellation implements Disposable {
  /** Aborted when the job must end at once, clean-up steps or not. */
  readonly tornDown: AbortSignal;
  #reason: CancelReason | undefined;
  #wanted: CancelReason | undefined;
  readonly #tearDown = new AbortController();
  readonly #listeners = new Set<(how: CancelNews) => void>();
  readonly #end = new AbortController();
  readonly #isReplaying: () => boolean;
  readonly #graceMs: number;

  /** @param options `graceMs` is how long a cancelled job may take. */
  constructor(options: {
    readonly signal: AbortSignal;
    readonly kill: AbortSignal | undefined;
    readonly graceMs: number;
    isReplaying(): boolean;
  }) {
    this.tornDown = this.#tearDown.signal;
    this.#isReplaying = options.isReplaying;
    this.#graceMs = options.graceMs;
    const until = { signal: this.#end.signal, once: true };
    options.signal.addEventListener("abort", () => this.#want("asked"), until);
    options.kill?.addEventListener("abort", () => this.#tearDown.abort(), until);
    if (options.signal.aborted) this.#wanted = "asked";
    if (options.kill?.aborted) this.#tearDown.abort();
  }

  /** Cancels the job at `deadline`, milliseconds since 1970. */
  setDeadline(deadline: number): void {
    this.#after(deadline - Date.now(), () => this.#want("timeout"));
  }

  /** Why the job is cancelled, once it is. */
  get reason(): CancelReason | undefined {
    return this.#reason;
  }

  /** Tells `listener` when the job is cancelled from now on. */
  onCancel(listener: (how: CancelNews) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  /** Lets what was asked for come true, now that nothing is replayed any more. */
  settle(): void {
    if (this.#wanted && !this.#isReplaying()) this.#cancel(this.#wanted, { isNews: true });
  }

  /** Lets happen again what happened in an earlier life of the job. */
  replay(reason: CancelReason): void {
    this.#cancel(reason, { isNews: false });
  }

  [Symbol.dispose](): void {
    this.#end.abort();
    this.#listeners.clear();
  }

  #cancel(reason: CancelReason, { isNews }: { isNews: boolean }): void {
    if (this.#reason) return;
    this.#reason = reason;
    this.#after(this.#graceMs, () => this.#tearDown.abort());
    for (const listener of [...this.#listeners]) listener({ reason, isNews });
  }

  #want(reason: CancelReason): void {
    this.#wanted ??= reason;
    this.settle();
  }

  #after(ms: number, then: () => void): void {
    const timer = setTimeout(then, Math.min(Math.max(ms, 0), LONGEST_TIMER_MS));
    this.#end.signal.addEventListener("abort", () => clearTimeout(timer), { once: true });
  }
}

/** Reads what `notes` kept of a cancellation. */
export function readCancelReason(value: Json | undefined): CancelReason | undefined {
  return value === "asked" || value === "timeout" ? value : undefined;
}

/** A job has to end at once: the second Ctrl-C came, or it took too long over being cancelled. */
export class TornDown extends Error {
  constructor() {
    super("The job was ended at once; the steps that were left did not run.");
    this.name = "TornDown";
  }
}
