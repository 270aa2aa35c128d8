import type { Style } from "./style.ts";
import { safeLine } from "./style.ts";

/** A log line as a job writes it: `##[group]Title` and its kin, or text. */
export type LogLine = {
  readonly tag:
    | "group"
    | "endgroup"
    | "error"
    | "warning"
    | "notice"
    | "debug"
    | "command"
    | "section"
    | "text";
  readonly text: string;
};

const TAGGED = /^##\[(group|endgroup|error|warning|notice|debug|command|section)\](.*)$/s;

export function parseLogLine(line: string): LogLine {
  const match = TAGGED.exec(line);
  if (match === null) return { tag: "text", text: line };
  return { tag: match[1] as LogLine["tag"], text: match[2] ?? "" };
}

/** A log line for people; `undefined` for one that has nothing to show. */
export function renderLogLine({ tag, text }: LogLine, style: Style): string | undefined {
  const safe = safeLine(text, style);
  switch (tag) {
    case "group":
      return style.bold(`▸ ${safe}`);
    case "endgroup":
      return undefined;
    case "error":
      return style.red(`Error: ${safe}`);
    case "warning":
      return style.yellow(`Warning: ${safe}`);
    case "notice":
      return style.blue(`Notice: ${safe}`);
    case "debug":
      return style.gray(`Debug: ${safe}`);
    case "command":
      return style.blue(`$ ${safe}`);
    case "section":
      return style.green(safe);
    case "text":
      return safe;
    default:
      return tag satisfies never;
  }
}
