export type StopReason = "cancelled" | "timeout";

/**
 * Whether, and why, a step has to stop. When the time of a composite action's step is over, that holds for all steps in it; of a
 * cancellation each of them decides for itself, as on GitHub (`CompositeActionHandler.cs`).
 */
export class StepStop {
  /** Aborted once the step has to stop. */
  readonly signal: AbortSignal;
  /** Aborted once its time, or that of a step around it, is over. */
  readonly #timeIsUp: AbortSignal;
  readonly #outer: StepStop | undefined;
  readonly #controller = new AbortController();
  readonly #timer = new AbortController();
  #own: StopReason | undefined;
  #deciding: Promise<void> = Promise.resolve();

  constructor(outer?: StepStop) {
    this.#outer = outer;
    const { signal } = this.#controller;
    this.signal = outer ? AbortSignal.any([signal, outer.#timeIsUp]) : signal;
    const own = this.#timer.signal;
    this.#timeIsUp = outer ? AbortSignal.any([own, outer.#timeIsUp]) : own;
  }

  get reason(): StopReason | undefined {
    return this.#outer?.reason === "timeout" ? "timeout" : this.#own;
  }

  /** Whether the reason is this step's own, and not that of one around it. */
  get isOwn(): boolean {
    return this.#own !== undefined && this.#outer?.reason !== "timeout";
  }

  halt(reason: StopReason): void {
    this.#own ??= reason;
    this.#controller.abort();
    if (this.#own === "timeout") this.#timer.abort();
  }

  /** The job was cancelled: the step stops unless it wants to go on, or cannot say. */
  haltUnless(wantsToGoOn: Promise<boolean>): void {
    this.#deciding = wantsToGoOn.then(
      (goesOn) => void (goesOn || this.halt("cancelled")),
      () => this.halt("cancelled"),
    );
  }

  /** Resolves when it is known whether a cancellation of the job stops this step. */
  async decided(): Promise<void> {
    await this.#outer?.decided();
    await this.#deciding;
  }

  /** What a later life of the job is told: the reason of this step, then of those around it. */
  record(): readonly (StopReason | null)[] {
    return [this.#own ?? null, ...(this.#outer?.record() ?? [])];
  }

  restore([own, ...others]: readonly (StopReason | null)[]): void {
    this.#own = own ?? undefined;
    if (own) this.halt(own);
    if (others.length > 0) this.#outer?.restore(others);
  }
}
