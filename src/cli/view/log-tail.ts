/** The end of a step's log, bounded; what had to go is counted. */
export type LogTail = {
  readonly lines: readonly string[];
  /** Lines that came before and were not kept. */
  readonly dropped: number;
};

const MAX_LINES = 2_000;
const MAX_CHARACTERS = 512 * 1024;

/** Keeps the last lines of a log. */
export class LogTailKeeper {
  #lines: string[] = [];
  #first = 0;
  #characters = 0;
  #dropped = 0;

  add(line: string): void {
    const kept = line.length > MAX_CHARACTERS ? `${line.slice(0, MAX_CHARACTERS)}…` : line;
    this.#lines.push(kept);
    this.#characters += kept.length;
    while (this.#lines.length - this.#first > MAX_LINES || this.#characters > MAX_CHARACTERS + 1) {
      this.#characters -= this.#lines[this.#first]?.length ?? 0;
      this.#lines[this.#first] = "";
      this.#first += 1;
      this.#dropped += 1;
    }
    if (this.#first > MAX_LINES) {
      this.#lines = this.#lines.slice(this.#first);
      this.#first = 0;
    }
  }

  get isEmpty(): boolean {
    return this.#lines.length === 0;
  }

  get tail(): LogTail {
    return { lines: this.#lines.slice(this.#first), dropped: this.#dropped };
  }
}
