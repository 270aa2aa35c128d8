import type { GitHubJobRecord } from "../store/records.ts";
import type { Store } from "../store/store.ts";

/** One attempt of a run, as GitHub counts them. */
export type RunOnGitHub = { readonly githubRunId: number; readonly attempt: number };

/** Waits for what GitHub tells of its own jobs. */
export class GitHubJobs {
  readonly #store: Store["githubJobs"];
  readonly #listeners = new Map<string, Set<() => void>>();

  constructor(store: Store["githubJobs"]) {
    this.#store = store;
  }

  /** To be called when the record of a job has changed. */
  changed(job: GitHubJobRecord): void {
    for (const look of this.#listeners.get(keyOf(job)) ?? []) look();
  }

  /**
   * The first value that `choose` finds among the jobs of a run, now or later.
   *
   * @throws The signal's reason when it is aborted.
   */
  async waitFor<T>(
    run: RunOnGitHub,
    choose: (jobs: readonly GitHubJobRecord[]) => T | undefined,
    signal: AbortSignal,
  ): Promise<T> {
    for (;;) {
      // Listens before it looks, so that no change falls between.
      const next = this.#listen(run, signal);
      try {
        const found = choose(await this.#store.ofRun(run.githubRunId, run.attempt));
        signal.throwIfAborted();
        if (found !== undefined) return found;
        await next.promise;
      } finally {
        next.stop();
      }
    }
  }

  /**
   * Resolves when something of the run changes.
   *
   * @throws The signal's reason when it is aborted.
   */
  async nextChange(run: RunOnGitHub, signal: AbortSignal): Promise<void> {
    const next = this.#listen(run, signal);
    try {
      await next.promise;
    } finally {
      next.stop();
    }
  }

  #listen(run: RunOnGitHub, signal: AbortSignal): { promise: Promise<void>; stop(): void } {
    const key = keyOf(run);
    const listeners = this.#listeners.get(key) ?? new Set();
    this.#listeners.set(key, listeners);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    promise.catch(() => {}); // may be left unheard, when a job was found at once
    const abort = () => reject(signal.reason);
    const look = () => resolve();
    listeners.add(look);
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    return {
      promise,
      stop: () => {
        listeners.delete(look);
        if (listeners.size === 0) this.#listeners.delete(key);
        signal.removeEventListener("abort", abort);
      },
    };
  }
}

function keyOf({ githubRunId, attempt }: RunOnGitHub): string {
  return `${githubRunId}-${attempt}`;
}
