import type { Json } from "../expressions/template.ts";
import type { Conclusion } from "./job-description.ts";

/** What the steps of one list leave to the following ones: those of a job, or of one composite action. */
export class StepRecords {
  readonly #steps = new Map<string, StepRecord>();

  /** The `steps` context: what has an id of its author's. */
  get context(): Json {
    return Object.fromEntries(
      [...this.#steps.values()].map(({ id, ...step }) => [
        id,
        { ...step, outputs: Object.fromEntries(step.outputs.values()) },
      ]),
    );
  }

  /** Outputs of steps without an id of their author's are dropped; names ignore case, the last value wins. */
  setOutput(stepId: string, name: string, value: string): void {
    if (isHidden(stepId)) return;
    this.#record(stepId).outputs.set(name.toLowerCase(), [name, value]);
  }

  end(stepId: string, result: { outcome: Conclusion; conclusion: Conclusion }): void {
    const { outcome, conclusion } = result;
    if (!isHidden(stepId)) Object.assign(this.#record(stepId), { outcome, conclusion });
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
