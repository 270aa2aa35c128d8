import { columnsOf, padColumns } from "./columns.ts";

/** Rows as lines with aligned columns, two blanks between them; no line ends in blanks. */
export function alignedTable(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, at) => {
      widths[at] = Math.max(widths[at] ?? 0, columnsOf(cell));
    });
  }
  return rows
    .map((row) => row.map((cell, at) => padColumns(cell, widths[at] ?? 0)).join("  "))
    .map((line) => `${line.trimEnd()}\n`)
    .join("");
}
