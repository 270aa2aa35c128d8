import { type LogLine, parseLogLine, renderLogLine } from "./log-line.ts";
import type { LogTail } from "./log-tail.ts";
import type { Style } from "./style.ts";

/**
 * The log of a failed step for people: groups are folded to their title and how much they hold, except one in which an
 * error stands; debug lines are left out.
 */
export function foldLog({ lines, dropped }: LogTail, style: Style): string[] {
  const folded: string[] = [];
  if (dropped > 0) folded.push(style.gray(`… ${dropped} lines before are not shown; -v shows all`));
  for (const part of partsOf(lines.map(parseLogLine))) {
    const body = part.lines.flatMap((line) => renderLogLine(line, style) ?? []);
    if (part.title === undefined) folded.push(...body);
    else if (part.lines.some(({ tag }) => tag === "error")) {
      folded.push(style.bold(`▾ ${part.title}`), ...body.map((line) => `  ${line}`));
    } else folded.push(style.gray(`▸ ${part.title} (${countLines(part.lines.length)})`));
  }
  return folded;
}

type Part = { readonly title?: string; readonly lines: LogLine[] };

function partsOf(lines: readonly LogLine[]): Part[] {
  const parts: Part[] = [];
  let open: Part | undefined;
  for (const line of lines) {
    if (line.tag === "debug") continue;
    if (line.tag === "group") {
      open = { title: line.text, lines: [] };
      parts.push(open);
    } else if (line.tag === "endgroup") open = undefined;
    else if (open !== undefined) open.lines.push(line);
    else {
      const last = parts.at(-1);
      if (last !== undefined && last.title === undefined) last.lines.push(line);
      else parts.push({ lines: [line] });
    }
  }
  return parts;
}

const countLines = (count: number) => (count === 1 ? "1 line" : `${count} lines`);
