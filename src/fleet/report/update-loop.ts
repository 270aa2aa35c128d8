/** How sending ended: GitHub has the last state, refuses it for good, or this process stopped before. */
export type SendOutcome = "sent" | "refused" | "stopped";

/** Sends the newest state of something, not too often. Disposing of it waits for the last state if it was told of one. */
export type UpdateLoop = AsyncDisposable & {
  /** There is something new; cheap. `isUrgent`: how long to wait is worked out anew. */
  changed(options?: { readonly isUrgent?: boolean }): void;
  /** What is known now is the last: it is sent at once, until it has been taken. */
  finish(): Promise<SendOutcome>;
  /** Sends what is known now without waiting for its turn; resolves when it was taken, or never will be. */
  flush(): Promise<void>;
};

export type UpdateLoopOptions = {
  /** @throws when it is to be tried again. */
  send(): Promise<"sent" | "refused">;
  /** How long after the last update the next one may be sent. */
  intervalMs(): number;
  /** Hears the first failure of a row. */
  onFailure(error: unknown): void;
  /** Whether there is something to be sent at once. */
  readonly isNew: boolean;
  now(): number;
  /** @throws when the signal is aborted. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
  /** Ends everything, whatever is under way. */
  readonly signal: AbortSignal;
};

const FIRST_BACKOFF_MS = 1_000;
const LONGEST_BACKOFF_MS = 60_000;

export function startUpdateLoop(options: UpdateLoopOptions): UpdateLoop {
  return new Loop(options);
}

class Loop implements UpdateLoop {
  readonly #options: UpdateLoopOptions;
  readonly #done: Promise<SendOutcome>;
  readonly #aborted: Promise<"stopped">;
  #revision: number;
  #taken = 0;
  #isLast = false;
  #isClosing = false;
  #isHurried = false;
  #isOver = false;
  /** What the loop waits in. */
  #rest: AbortController | undefined;
  #flushes: { readonly revision: number; resolve(): void }[] = [];

  constructor(options: UpdateLoopOptions) {
    this.#options = options;
    this.#revision = options.isNew ? 1 : 0;
    const { promise, resolve } = Promise.withResolvers<"stopped">();
    this.#aborted = promise;
    const onAbort = () => {
      this.#rest?.abort();
      resolve("stopped");
    };
    if (options.signal.aborted) onAbort();
    options.signal.addEventListener("abort", onAbort, { once: true });
    this.#done = this.#run().finally(() => {
      options.signal.removeEventListener("abort", onAbort);
      this.#isOver = true;
      this.#settle(Number.POSITIVE_INFINITY);
    });
  }

  changed({ isUrgent = false } = {}): void {
    const isIdle = this.#taken === this.#revision;
    this.#revision += 1;
    if (isIdle || isUrgent) this.#rest?.abort();
  }

  finish(): Promise<SendOutcome> {
    if (!this.#isLast) {
      this.#isLast = true;
      this.changed({ isUrgent: true });
    }
    return this.#done;
  }

  flush(): Promise<void> {
    if (this.#isOver || this.#taken === this.#revision) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#flushes.push({ revision: this.#revision, resolve });
    this.#isHurried = true;
    this.#rest?.abort();
    return promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosing = true;
    this.#rest?.abort();
    await this.#done;
  }

  async #run(): Promise<SendOutcome> {
    let failures = 0;
    let lastAtMs = Number.NEGATIVE_INFINITY;
    // What the caller says in the same breath belongs to the first state.
    await Promise.resolve();
    for (;;) {
      if (this.#options.signal.aborted) return "stopped";
      if (this.#taken === this.#revision) {
        if (this.#isLast) return "sent";
        if (this.#isClosing) return "stopped";
        await this.#restFor(undefined);
        continue;
      }
      if (this.#isClosing && !this.#isLast) return "stopped";
      const restMs = lastAtMs + this.#pauseMs(failures) - this.#options.now();
      if (restMs > 0) {
        await this.#restFor(restMs);
        continue;
      }
      this.#isHurried = false;
      const revision = this.#revision;
      const outcome = await this.#send(failures === 0);
      lastAtMs = this.#options.now();
      if (outcome === "refused" || outcome === "stopped") return outcome;
      failures = outcome === "sent" ? 0 : failures + 1;
      if (outcome === "sent") {
        this.#taken = revision;
        this.#settle(revision);
      }
    }
  }

  #pauseMs(failures: number): number {
    if (failures > 0) return Math.min(LONGEST_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** (failures - 1));
    return this.#isLast || this.#isHurried ? 0 : this.#options.intervalMs();
  }

  async #send(isFirstTry: boolean): Promise<SendOutcome | "failed"> {
    const sending = this.#options.send().catch((error: unknown) => {
      if (isFirstTry) this.#options.onFailure(error);
      return "failed" as const;
    });
    return await Promise.race([sending, this.#aborted]);
  }

  /** Until it is woken, or for so long. */
  async #restFor(ms: number | undefined): Promise<void> {
    const rest = new AbortController();
    this.#rest = rest;
    const { promise: woken, resolve } = Promise.withResolvers<void>();
    rest.signal.addEventListener("abort", () => resolve(), { once: true });
    // An aborted sleep is a woken one.
    if (ms === undefined) await woken;
    else await Promise.race([woken, this.#options.sleep(ms, rest.signal).catch(() => undefined)]);
    this.#rest = undefined;
  }

  #settle(revision: number): void {
    const isDone = (flush: { readonly revision: number }) => flush.revision <= revision;
    for (const flush of this.#flushes.filter(isDone)) flush.resolve();
    this.#flushes = this.#flushes.filter((flush) => !isDone(flush));
  }
}
