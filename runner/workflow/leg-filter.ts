import { toText } from "../expressions/evaluate.ts";
import type { Json } from "../expressions/template.ts";

/** Which legs to run: for some matrix keys the values that are wanted, as text. */
export type LegFilter = { readonly [key: string]: readonly string[] };

/** Whether a leg has a wanted value for every key of the filter that its matrix has. */
export function isWantedLeg(
  matrix: { readonly [key: string]: Json } | undefined,
  filter: LegFilter,
): boolean {
  const values = new Map(
    Object.entries(matrix ?? {}).map(([key, value]) => [key.toLowerCase(), value]),
  );
  return Object.entries(filter).every(([key, wanted]) => {
    const value = values.get(key.toLowerCase());
    return value === undefined || wanted.includes(toText(value));
  });
}
