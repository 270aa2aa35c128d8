import type { JobDeath } from "./job-death.ts";
import type { RunningService } from "./siblings.ts";
import { StepRecords } from "./step-records.ts";

/** What steps of a job leave to the following ones. */
export class JobState {
  readonly steps = new StepRecords();
  /** The `job.services` context. */
  services: { readonly [id: string]: RunningService } = {};
  #status: "success" | "failure" | "cancelled" = "success";
  #death: JobDeath | undefined;
  #outOfMemory = 0;
  readonly #env: { [name: string]: string } = {};
  readonly #addedPath = new Set<string>();

  get status(): "success" | "failure" | "cancelled" {
    return this.#status;
  }

  /** What the first step that failed died of, where that was no fault of its own. */
  get death(): JobDeath | undefined {
    return this.#status === "failure" ? this.#death : undefined;
  }

  /** Variables for all steps: `env` of workflow and job, and what steps set since. */
  get env(): { readonly [name: string]: string } {
    return this.#env;
  }

  /** Directories that steps put before PATH, the newest first. */
  get addedPath(): readonly string[] {
    return [...this.#addedPath].reverse();
  }

  /** Takes note of how often memory ran out so far; whether that is more than before. */
  countOutOfMemory(times: number): boolean {
    const isMore = times > this.#outOfMemory;
    this.#outOfMemory = times;
    return isMore;
  }

  setEnv(name: string, value: string): void {
    this.#env[name] = value;
  }

  /** Puts something else in place of parts of the variables. */
  renewEnv(renew: (value: string) => string): void {
    for (const [name, value] of Object.entries(this.#env)) this.#env[name] = renew(value);
  }

  addPath(directory: string): void {
    this.#addedPath.delete(directory);
    this.#addedPath.add(directory);
  }

  /** A cancelled job stays cancelled, whatever failed before or fails later. */
  cancel(): void {
    this.#status = "cancelled";
  }

  fail(death?: JobDeath): void {
    if (this.#status !== "success") return;
    this.#status = "failure";
    this.#death = death;
  }
}
