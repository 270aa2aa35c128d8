import type { Profiles } from "./need.ts";
import { readLabel } from "./read-label.ts";

/** A label in words. */
export type ExplainedLabel = {
  readonly label: string;
  readonly known: boolean;
  /** What it means; of an unknown one what it may have been meant to be. */
  readonly meaning: string;
};

/** Says for each label what it means here. */
export function explainLabels(
  labels: readonly string[],
  profiles: Profiles = new Map(),
): ExplainedLabel[] {
  return labels.map((label) => {
    const reading = readLabel(label, profiles);
    const { known } = reading;
    return { label, known, meaning: known ? reading.meaning : reading.hint };
  });
}
