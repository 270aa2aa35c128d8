import { columnsOf, padColumns } from "./columns.ts";
import type { Style } from "./style.ts";

/** Markdown of a step summary as lines for a terminal: headings, emphasis, links, lists, tables, code. */
export function plainMarkdown(markdown: string, style: Style): string[] {
  const lines: string[] = [];
  let fence: string | undefined;
  let table: string[][] = [];
  const endTable = () => {
    lines.push(...alignTable(table, style));
    table = [];
  };

  for (const line of markdown.replace(/<!--[\s\S]*?-->/g, "").split(/\r\n|\r|\n/)) {
    const fenceMark = /^\s*(```+|~~~+)/.exec(line)?.[1];
    if (fence !== undefined) {
      if (fenceMark?.startsWith(fence)) fence = undefined;
      else lines.push(`    ${line}`);
      continue;
    }
    if (/^\s*\|.*\|\s*$/.test(line)) {
      table.push(cellsOf(line));
      continue;
    }
    endTable();
    if (fenceMark !== undefined) fence = fenceMark;
    else lines.push(plainLine(line, style));
  }
  endTable();
  return withoutBlankEdges(lines);
}

function plainLine(line: string, style: Style): string {
  const heading = /^\s{0,3}#{1,6}\s+(.*?)\s*#*\s*$/.exec(line);
  if (heading !== null) return style.bold(inline(heading[1] ?? "", style));
  if (/^\s{0,3}([-*_])(\s*\1){2,}\s*$/.test(line)) return "─".repeat(40);
  const text = line
    .replace(/^(\s*)[-*+]\s+\[ \]\s/, "$1☐ ")
    .replace(/^(\s*)[-*+]\s+\[[xX]\]\s/, "$1☑ ")
    .replace(/^(\s*)[-*+]\s+/, "$1• ")
    .replace(/^\s{0,3}>\s?/, "│ ");
  return inline(text, style);
}

function inline(text: string, style: Style): string {
  return text
    .replace(/!\[([^\]]*)\]\([^)]*\)/g, "$1")
    .replace(/\[([^\]]+)\]\(([^)\s]+)[^)]*\)/g, (_, label, url) =>
      label === url ? url : `${label} (${url})`,
    )
    .replace(/(\*\*|__)(?=\S)(.+?)(?<=\S)\1/g, (_, __, strong) => style.bold(strong))
    .replace(/(?<![*\w])\*(?=\S)([^*]+?)(?<=\S)\*(?![*\w])/g, "$1")
    .replace(/`([^`]+)`/g, "$1")
    .replace(/<br\s*\/?>/gi, " ")
    .replace(/<\/?[a-z][^<>]*>/gi, "")
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&amp;", "&");
}

function cellsOf(line: string): string[] {
  return line
    .trim()
    .slice(1, -1)
    .split(/(?<!\\)\|/)
    .map((cell) => cell.trim().replaceAll("\\|", "|"));
}

function alignTable(rows: readonly string[][], style: Style): string[] {
  const plain = createPlain();
  const isRule = (row: readonly string[]) => row.every((cell) => /^:?-+:?$/.test(cell));
  const shown = rows.filter((row) => !isRule(row)).map((row) => row.map((cell) => plain(cell)));
  const widths = shown.reduce<number[]>(
    (all, row) =>
      row.map((cell, at) => Math.max(all[at] ?? 0, columnsOf(cell))).concat(all.slice(row.length)),
    [],
  );
  const hasHead = rows[1] !== undefined && isRule(rows[1]);
  return shown.map((row, at) => {
    const line = row
      .map((cell, column) => padColumns(cell, widths[column] ?? 0))
      .join("  ")
      .trimEnd();
    return hasHead && at === 0 ? style.bold(line) : line;
  });
}

/** In a table colours would count as width. */
function createPlain(): (text: string) => string {
  const same = (text: string) => text;
  const none = {
    bold: same,
    dim: same,
    red: same,
    green: same,
    yellow: same,
    blue: same,
    gray: same,
  };
  return (text) => inline(text, { ...none, hasColour: false });
}

function withoutBlankEdges(lines: readonly string[]): string[] {
  const from = lines.findIndex((line) => line.trim() !== "");
  const to = lines.findLastIndex((line) => line.trim() !== "");
  return from < 0 ? [] : lines.slice(from, to + 1);
}
