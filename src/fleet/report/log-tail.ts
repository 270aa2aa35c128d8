import { stripVTControlCharacters } from "node:util";
import { cutText } from "./check-markdown.ts";

const MAX_LINES = 40;
const MAX_LINE_CHARACTERS = 400;
const MAX_CHARACTERS = 8_000;

/** The last lines of a log as plain text; what a job prints costs no more memory than this. */
export class LogTail {
  #lines: string[] = [];

  /** `line` as the runner tells it: colours and `##[group]` marks and the like may be in it. */
  add(line: string): void {
    this.#lines.push(cutText(line, MAX_LINE_CHARACTERS));
    // Lines are only dropped now and then, since moving the others costs more than keeping some.
    if (this.#lines.length > 4 * MAX_LINES) this.#lines = this.#lines.slice(-MAX_LINES);
  }

  /** Oldest first. */
  lines(): readonly string[] {
    const last = this.#lines.filter((line) => !line.startsWith("##[endgroup]")).slice(-MAX_LINES);
    let room = MAX_CHARACTERS;
    const from = last.findLastIndex((line) => {
      room -= line.length + 1;
      return room < 0;
    });
    return last.slice(from + 1).map(plain);
  }
}

function plain(line: string): string {
  const [, tag = "", text = ""] = /^##\[([a-z]+)\](.*)$/s.exec(line) ?? [];
  const marked = { error: "Error: ", warning: "Warning: ", notice: "Notice: " }[tag] ?? "";
  return stripVTControlCharacters(tag === "" ? line : `${marked}${text}`);
}
