import { stripVTControlCharacters } from "node:util";
import stringWidth from "string-width";

/** How many columns a text takes in a terminal; colours take none, some characters two. */
export function columnsOf(text: string): number {
  return isPlainAscii(text) ? text.length : stringWidth(text);
}

/** Fills up with blanks to a number of columns. */
export function padColumns(text: string, columns: number): string {
  return text + " ".repeat(Math.max(0, columns - columnsOf(text)));
}

const SEQUENCE = /(\u001b\[[\d;:]*m)/;

/** Cuts to a number of columns; what was cut is told by an ellipsis. Colours stay balanced. */
export function cutColumns(text: string, columns: number): string {
  if (columnsOf(text) <= columns) return text;
  let room = columns - 1;
  const parts = text.split(SEQUENCE).map((part) => {
    if (SEQUENCE.test(part)) return part;
    let kept = "";
    for (const { segment } of GRAPHEMES.segment(stripVTControlCharacters(part))) {
      const width = columnsOf(segment);
      // What is narrow must not move up into the place of what was too wide.
      if (width > room) room = 0;
      if (room <= 0) break;
      kept += segment;
      room -= width;
    }
    return kept;
  });
  const last = parts.findLastIndex((part) => part !== "" && !SEQUENCE.test(part));
  const end = Math.max(last, 0);
  return [...parts.slice(0, end), `${parts[end] ?? ""}…`, ...parts.slice(end + 1)].join("");
}

const GRAPHEMES = new Intl.Segmenter(undefined, { granularity: "grapheme" });

const isPlainAscii = (text: string) => /^[\u0020-\u007e]*$/.test(text);
