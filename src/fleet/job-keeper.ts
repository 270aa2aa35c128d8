import type { HistoryRecord, JobRecord } from "../store/records.ts";
import type { Store } from "../store/store.ts";

type Changes = { [Field in keyof JobRecord]?: JobRecord[Field] | undefined };

/** What the store holds of one job, changed in one place. */
export class JobKeeper {
  readonly #store: Pick<Store, "jobs" | "history">;
  #record: JobRecord;

  constructor(record: JobRecord, store: Pick<Store, "jobs" | "history">) {
    this.#record = record;
    this.#store = store;
  }

  get record(): JobRecord {
    return this.#record;
  }

  /** Changes the record for whoever asks this process; the next durable change keeps it. */
  tell(changes: Changes): void {
    const fields = Object.entries({ ...this.#record, ...changes });
    this.#record = Object.fromEntries(
      fields.filter(([, value]) => value !== undefined),
    ) as JobRecord;
  }

  /** Changes the record, durably: `undefined` takes a field away. `happened` is a line of the job's history. */
  async change(changes: Changes, happened?: string): Promise<void> {
    this.tell(changes);
    await this.#store.jobs.put(this.#record);
    if (happened !== undefined) await this.note(happened);
  }

  async note(message: string): Promise<void> {
    const entry: HistoryRecord = { jobId: this.#record.id, atMs: Date.now(), message };
    await this.#store.history.add(entry);
  }
}
