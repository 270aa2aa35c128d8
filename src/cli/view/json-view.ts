import type { RunEvent, View } from "./run-event.ts";
import type { SpillingWriter } from "./spilling-writer.ts";

/** For programs: each event of the contract as one object a line on `out`; people's text goes to `notes`. */
export function jsonView(out: SpillingWriter, notes: SpillingWriter): View {
  return {
    show(event) {
      if (event.type === "step_summary") return;
      out.write(`${JSON.stringify(inOrder(event))}\n`);
    },
    note: (line) => notes.write(`${line}\n`),
    async [Symbol.asyncDispose]() {
      await out[Symbol.asyncDispose]();
      await notes[Symbol.asyncDispose]();
    },
  };
}

/** People read these lines too: what it is and when come first. */
function inOrder({ type, at, run, ...rest }: RunEvent): object {
  return { type, at, run, ...rest };
}
