import { setImmediate } from "node:timers/promises";

/** How long the process is kept from other work at a time. */
const SLICE_MS = 4;

/**
 * Tells waiting jobs their reasons anew after something has changed: not more often than every `everyMs`, and a few at a time, since each placement
 * may change the reasons of thousands.
 */
export class ReasonLoop<Job> {
  readonly #everyMs: number;
  readonly #jobs: () => Iterable<Job>;
  readonly #tell: (job: Job) => void;
  #isDue = false;
  #isRunning = false;

  constructor(
    everyMs: number,
    { jobs, tell }: { jobs: () => Iterable<Job>; tell: (job: Job) => void },
  ) {
    this.#everyMs = everyMs;
    this.#jobs = jobs;
    this.#tell = tell;
  }

  /** Something has changed. */
  wake(): void {
    this.#isDue = true;
    if (this.#isRunning) return;
    this.#isRunning = true;
    // A process that has nothing else to do may end.
    setTimeout(() => void this.#run(), this.#everyMs).unref();
  }

  async #run(): Promise<void> {
    this.#isDue = false;
    let sliceBegan = performance.now();
    for (const job of [...this.#jobs()]) {
      this.#tell(job);
      if (performance.now() - sliceBegan < SLICE_MS) continue;
      await setImmediate(undefined, { ref: false });
      sliceBegan = performance.now();
    }
    this.#isRunning = false;
    if (this.#isDue) this.wake();
  }
}
