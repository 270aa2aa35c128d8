import { stripVTControlCharacters } from "node:util";

/** Text from anywhere on one line of Markdown, as it is and harmless: no formatting, HTML, links or mentions come of it. */
export function plainInline(text: string, maxCharacters = Number.POSITIVE_INFINITY): string {
  return cutText(oneLine(text), maxCharacters)
    .replace(/[\\`*_[\]<>#|~&:!$]/g, "\\$&")
    .replace(/^[-+=]/, "\\$&")
    .replace(/^(\d+)([.)])(?=\s|$)/, "$1\\$2")
    .replace(/www\./gi, (www) => `${www.slice(0, 3)}\\.`)
    .replaceAll("@", "@&#8203;");
}

/** Text as a block of code that nothing in it can end. */
export function fencedBlock(text: string): string {
  const runs = text.match(/`+/g) ?? [];
  const fence = "`".repeat(Math.max(3, ...runs.map((run) => run.length + 1)));
  return `${fence}text\n${text
    .split(/\r\n|[\r\n]/)
    .map(withoutControls)
    .join("\n")}\n${fence}`;
}

/** Text on one line, without what moves a cursor or turns the direction of reading. */
export function oneLine(text: string): string {
  return withoutControls(text.replace(/\s+/g, " ")).trim();
}

/** Cuts without leaving half a character. */
export function cutText(text: string, maxCharacters: number): string {
  if (text.length <= maxCharacters) return text;
  return `${text.slice(0, maxCharacters - 1).replace(/[\ud800-\udbff]$/, "")}…`;
}

/** The beginning of a text that takes at most so many bytes as UTF-8. */
export function cutBytes(text: string, maxBytes: number): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= maxBytes) return text;
  let end = maxBytes;
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return bytes.subarray(0, end).toString();
}

function withoutControls(text: string): string {
  return stripVTControlCharacters(text).replace(
    /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g,
    "",
  );
}
