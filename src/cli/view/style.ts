import { stripVTControlCharacters, styleText } from "node:util";

/** Colours for text, or the text as it is. */
export type Style = { readonly [name in Paint]: (text: string) => string } & {
  readonly hasColour: boolean;
};
type Paint = "bold" | "dim" | "red" | "green" | "yellow" | "blue" | "gray";

/** Whether to colour, by the customs of no-color.org and force-color.org, else by what the stream is. */
export function wantsColour(
  env: { readonly [name: string]: string | undefined },
  stream: { readonly isTTY?: boolean },
): boolean {
  if (env.NO_COLOR) return false;
  if (env.FORCE_COLOR) return env.FORCE_COLOR !== "0";
  return stream.isTTY === true && env.TERM !== "dumb";
}

export function createStyle(hasColour: boolean): Style {
  const paint = (format: Paint) => (text: string) =>
    hasColour ? styleText(format, text, { validateStream: false }) : text;
  return {
    hasColour,
    bold: paint("bold"),
    dim: paint("dim"),
    red: paint("red"),
    green: paint("green"),
    yellow: paint("yellow"),
    blue: paint("blue"),
    gray: paint("gray"),
  };
}

const COLOUR_SEQUENCE = /\u001b\[[\d;:]*m/g;

/**
 * A line of a job's log as a terminal may be given it: its colours may stay, but what moves the cursor, sets the
 * window's title or rings the bell goes.
 */
export function safeLine(line: string, style: Style): string {
  if (!/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/.test(line)) return line;
  if (!style.hasColour) return withoutControls(line);
  const colours = line.match(COLOUR_SEQUENCE) ?? [];
  if (colours.length === 0) return withoutControls(line);
  const text = line.split(COLOUR_SEQUENCE).map(withoutControls);
  return `${text.map((part, index) => part + (colours[index] ?? "")).join("")}\u001b[0m`;
}

function withoutControls(text: string): string {
  return stripVTControlCharacters(text).replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, "");
}
