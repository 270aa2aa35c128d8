import type { RunningService } from "./siblings.ts";
import { StepRecords } from "./step-records.ts";

/** What steps of a job leave to the following ones. */
export class JobState {
  readonly steps = new StepRecords();
  /** The `job.services` context. */
  services: { readonly [id: string]: RunningService } = {};
  #status: "success" | "failure" | "cancelled" = "success";
  #outOfMemory = 0;
  readonly #env: { [name: string]: string } = {};
  readonly #addedPath = new Set<string>();

  get status(): "success" | "failure" | "cancelled" {
    return this.#status;
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

  addPath(directory: string): void {
    this.#addedPath.delete(directory);
    this.#addedPath.add(directory);
  }

  /** A cancelled job stays cancelled, whatever failed before or fails later. */
  cancel(): void {
    this.#status = "cancelled";
  }

  fail(): void {
    if (this.#status === "success") this.#status = "failure";
  }
}
