import type { Json } from "../expressions/template.ts";
import type { Conclusion } from "./job-description.ts";

/** What steps of a job leave to the following ones. */
export class JobState {
  #status: "success" | "failure" | "cancelled" = "success";
  #outOfMemory = 0;
  readonly #env: { [name: string]: string } = {};
  readonly #addedPath = new Set<string>();
  readonly #steps = new Map<string, StepRecord>();

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

  /** The `steps` context: what has ended so far and has an id of its author's. */
  get steps(): Json {
    return Object.fromEntries(
      [...this.#steps.values()].map(({ id, ...step }) => [
        id,
        { ...step, outputs: Object.fromEntries(step.outputs.values()) },
      ]),
    );
  }

  setEnv(name: string, value: string): void {
    this.#env[name] = value;
  }

  addPath(directory: string): void {
    this.#addedPath.delete(directory);
    this.#addedPath.add(directory);
  }

  /** Outputs of steps without an id of their author's are dropped; names ignore case, the last value wins. */
  setOutput(stepId: string, name: string, value: string): void {
    if (isHidden(stepId)) return;
    this.#record(stepId).outputs.set(name.toLowerCase(), [name, value]);
  }

  endStep(stepId: string, result: { outcome: Conclusion; conclusion: Conclusion }): void {
    if (!isHidden(stepId)) Object.assign(this.#record(stepId), result);
    if (result.conclusion === "failure" && this.#status === "success") this.#status = "failure";
  }

  /** A cancelled job stays cancelled, whatever failed before or fails later. */
  cancel(): void {
    this.#status = "cancelled";
  }

  fail(): void {
    if (this.#status === "success") this.#status = "failure";
  }

  #record(id: string): StepRecord {
    const known = this.#steps.get(id.toLowerCase());
    if (known) return known;
    const record: StepRecord = { id, outputs: new Map() };
    this.#steps.set(id.toLowerCase(), record);
    return record;
  }
}

type StepRecord = {
  readonly id: string;
  readonly outputs: Map<string, readonly [name: string, value: string]>;
  outcome?: Conclusion;
  conclusion?: Conclusion;
};

function isHidden(stepId: string): boolean {
  return stepId.startsWith("__");
}
