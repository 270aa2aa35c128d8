import { setTimeout as sleep } from "node:timers/promises";

/** One that does not come back in that time keeps the others out no longer: its run cannot be read, say. */
const LONGEST_WAIT_MS = 60_000;

/**
 * Keeps newcomers out of concurrency groups until the jobs that an earlier life of the service began are in them again: in which order
 * runs are taken up says nothing about who held what.
 */
export class ReturnGate {
  readonly #awaited = new Set<string>();
  readonly #opened = Promise.withResolvers<void>();

  /** Resolves when all are back. */
  get opened(): Promise<void> {
    return this.#opened.promise;
  }

  /** To be called once. */
  expect(jobIds: readonly string[], { timeoutMs = LONGEST_WAIT_MS } = {}): void {
    for (const id of jobIds) this.#awaited.add(id);
    if (this.#awaited.size === 0) this.#opened.resolve();
    else void sleep(timeoutMs, undefined, { ref: false }).then(() => this.#opened.resolve());
  }

  /** The job is back. */
  back(jobId: string): void {
    this.#awaited.delete(jobId);
    if (this.#awaited.size === 0) this.#opened.resolve();
  }

  /** Jobs of this run that are not back will not come. */
  runEnded(runId: string): void {
    for (const id of [...this.#awaited].filter((id) => id.startsWith(`${runId}.`))) this.back(id);
  }
}
