import type { JobEvent } from "../runner/job/job-event.ts";

const MAX_CHARACTERS = 16 * 1024 * 1024;

/** Gathers the log of one run as text, bounded: what a chatty job printed first gives way. */
export class RunLog {
  #lines: string[] = [];
  #first = 0;
  #characters = 0;

  add(event: JobEvent): void {
    if (event.type !== "log") return;
    const line = event.line.slice(0, MAX_CHARACTERS);
    this.#lines.push(line);
    this.#characters += line.length + 1;
    while (this.#characters > MAX_CHARACTERS && this.#first < this.#lines.length - 1) {
      this.#characters -= (this.#lines[this.#first] ?? "").length + 1;
      this.#lines[this.#first] = "";
      this.#first += 1;
    }
  }

  /** Lines end with a line end; a first line says how many are missing, if some are. */
  get text(): string {
    const kept = this.#lines.slice(this.#first).map((line) => `${line}\n`);
    const missing = this.#first > 0 ? `… ${this.#first} lines before are not kept\n` : "";
    return missing + kept.join("");
  }
}
