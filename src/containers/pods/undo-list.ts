import { textOf } from "../../../runner/errors.ts";

/** What was made so far, and how each of it goes away again. */
export type UndoList = {
  /** @param what Names it in a sentence: `the volume data`. */
  add(what: string, undo: () => Promise<unknown>): void;
  /** Undoes all, the last first; what it says of that in one sentence. Never throws. */
  run(): Promise<string>;
};

export function undoList(): UndoList {
  const steps: { readonly what: string; readonly undo: () => Promise<unknown> }[] = [];
  return {
    add: (what, undo) => void steps.push({ what, undo }),
    async run() {
      const gone: string[] = [];
      const left: string[] = [];
      for (const { what, undo } of steps.splice(0).reverse()) {
        try {
          await undo();
          gone.push(what);
        } catch (error) {
          left.push(`${what} (${textOf(error)})`);
        }
      }
      if (left.length > 0) return `This could not be removed: ${left.join(", ")}.`;
      if (gone.length === 0) return "Nothing had been made.";
      return `What had been made was removed: ${gone.join(", ")}.`;
    },
  };
}
