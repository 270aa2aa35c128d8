import type { View } from "./run-event.ts";
import type { SpillingWriter } from "./spilling-writer.ts";

/** For programs: each event of the contract as one object a line on `out`; people's text goes to `notes`. */
export function jsonView(out: SpillingWriter, notes: SpillingWriter): View {
  return {
    show(event) {
      if (event.type === "step_summary") return;
      out.write(`${JSON.stringify(event)}\n`);
    },
    note: (line) => notes.write(`${line}\n`),
    async [Symbol.asyncDispose]() {
      await out[Symbol.asyncDispose]();
      await notes[Symbol.asyncDispose]();
    },
  };
}
