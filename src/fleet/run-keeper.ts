import type { RunRecord } from "../store/records.ts";
import type { Store } from "../store/store.ts";

/** What the store holds of one run, changed in one place. */
export class RunKeeper {
  readonly #store: Store["runs"];
  #record: RunRecord;

  constructor(record: RunRecord, store: Store["runs"]) {
    this.#record = record;
    this.#store = store;
  }

  get record(): RunRecord {
    return this.#record;
  }

  /** Changes the record, durably. */
  async change(changes: Partial<RunRecord>): Promise<void> {
    this.#record = { ...this.#record, ...changes };
    await this.#store.put(this.#record);
  }
}
