import { type Automaton, buildAutomaton } from "./automaton.ts";
import { secretForms } from "./secret-forms.ts";

/** Hides secrets in what is printed. Case-sensitive, of any length, in all the forms of `secretForms`. */
export type Masker = {
  /**
   * Makes a value secret from now on, and each of its lines without the blanks around it. Blank values are ignored.
   * Trim the secrets of a job before; GitHub does, and does not trim those of `add-mask`.
   */
  add(value: string): void;
  /** A text with its secrets as `***`, those that span lines too. What overlaps or touches becomes one `***`. */
  mask(text: string): string;
  /** The same for text whose lines each stand for themselves, as process output does; ends of lines are `\n`. */
  maskLines(text: string): string;
  /** Where to cut a line that is too long to hold, so that no secret is cut: at most `line.length`, more than 0. */
  cutBeforeSecret(line: string): number;
};

/** Characters of all forms of all secrets at most: some 120 MB of automaton. */
const LIMIT_CHARACTERS = 4 << 20;
/** Stands for each line when there are more. */
const HIDDEN_LINE = "*** (more secrets than this runner can mask)";

/**
 * Makes a masker that knows no secret. With more secrets than fit into `limitCharacters` (UTF-16 units in all forms
 * together) it hides every line whole: a job cannot bloat us with masks, nor get one forgotten.
 */
export function createMasker(limitCharacters: number = LIMIT_CHARACTERS): Masker {
  const known = new Set<string>();
  const inLines = createStringSet();
  const acrossLines = createStringSet();
  let characters = 0;

  function addForms(value: string): void {
    if (value.trim() === "" || known.has(value) || characters > limitCharacters) return;
    known.add(value);
    for (const form of secretForms(value)) {
      characters += form.length;
      (/[\r\n]/.test(form) ? acrossLines : inLines).add(form);
    }
  }

  return {
    add(value) {
      addForms(value);
      for (const line of value.split(/[\r\n]/)) addForms(line.trim());
    },
    mask(text) {
      if (characters > limitCharacters) return text.replace(/[^\r\n]+/g, HIDDEN_LINE);
      const found = inLines.find(text);
      const more = acrossLines.find(text);
      return replaceRanges(text, more.length === 0 ? found : mergeRanges([...found, ...more]));
    },
    maskLines(text) {
      if (characters > limitCharacters) return text.replace(/[^\n]+/g, HIDDEN_LINE);
      return replaceRanges(text, inLines.find(text));
    },
    cutBeforeSecret(line) {
      const { ranges, open } = inLines.findOpen(line);
      const cut = line.length - open;
      const across = ranges.find((range) => range.start < cut && cut < range.end);
      return (across ? across.start : cut) || line.length;
    },
  };
}

type Range = { start: number; end: number };

/**
 * Strings that grow in number. New ones become a small automaton of their own, which is joined with its older neighbour
 * once it is worth it: a job that masks ten thousand values one by one must not have all rebuilt each time.
 */
function createStringSet() {
  const built: { strings: string[]; characters: number; automaton: Automaton }[] = [];
  let fresh: string[] = [];

  function build(): void {
    let strings = fresh;
    let characters = countCharacters(strings);
    fresh = [];
    for (let last = built.at(-1); last && isWorthJoining(last.characters, characters); ) {
      built.pop();
      strings = [...last.strings, ...strings];
      characters += last.characters;
      last = built.at(-1);
    }
    const distinct = [...new Set(strings)];
    built.push({
      strings: distinct,
      characters: countCharacters(distinct),
      automaton: buildAutomaton(distinct),
    });
  }

  /** Also how many characters at the end may be the beginning of one of the strings. */
  function findOpen(text: string): { ranges: Range[]; open: number } {
    if (fresh.length > 0) build();
    const ranges: Range[] = [];
    let open = 0;
    for (const { automaton } of built) {
      const rest = automaton.scan(text, (start, end) => addRange(ranges, start, end));
      open = Math.max(open, rest);
    }
    return { ranges: built.length > 1 ? mergeRanges(ranges) : ranges, open };
  }

  return {
    add: (string: string) => void fresh.push(string),
    findOpen,
    find: (text: string) => findOpen(text).ranges,
  };
}

function countCharacters(strings: readonly string[]): number {
  return strings.reduce((sum, string) => sum + string.length, 0);
}

function isWorthJoining(older: number, newer: number): boolean {
  return older + newer <= 4096 || older <= 4 * newer;
}

function mergeRanges(ranges: readonly Range[]): Range[] {
  const merged: Range[] = [];
  for (const { start, end } of ranges.toSorted((a, b) => a.end - b.end)) {
    addRange(merged, start, end);
  }
  return merged;
}

/** Adds a range that ends no earlier than those there; ranges that overlap or touch become one. */
function addRange(ranges: Range[], start: number, end: number): void {
  let from = start;
  for (let last = ranges.at(-1); last && last.end >= from; last = ranges.at(-1)) {
    from = Math.min(from, last.start);
    ranges.pop();
  }
  ranges.push({ start: from, end });
}

function replaceRanges(text: string, ranges: readonly Range[]): string {
  if (ranges.length === 0) return text;
  let masked = "";
  let at = 0;
  for (const { start, end } of ranges) {
    masked += `${text.slice(at, start)}***`;
    at = end;
  }
  return masked + text.slice(at);
}
