import { BerthError } from "../../../runner/errors.ts";

/**
 * Splits an `options:` string into words. Double and single quotes group, as in a shell. A backslash escapes quotes, blanks and
 * itself and is otherwise kept: GitHub's runner keeps it too, so that `--health-cmd "echo \$USER"` reaches the container unharmed.
 *
 * @throws {BerthError} `CONTAINER_OPTION` when a quote is never closed.
 */
export function splitWords(text: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote: string | undefined;

  for (let i = 0; i < text.length; i++) {
    const char = text.charAt(i);
    const next = text.charAt(i + 1);
    if (char === "\\" && quote !== "'" && next !== "" && `"'\\ \t`.includes(next)) {
      word = (word ?? "") + next;
      i++;
    } else if (quote !== undefined) {
      if (char === quote) quote = undefined;
      else word += char;
    } else if (char === '"' || char === "'") {
      quote = char;
      word ??= "";
    } else if (/\s/.test(char)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else {
      word = (word ?? "") + char;
    }
  }

  if (quote !== undefined) {
    throw new BerthError("CONTAINER_OPTION", {
      message: `The container options have a ${quote} that is never closed: ${text}`,
      remedy: `Close the quote, or write \\${quote} for the character itself.`,
    });
  }
  if (word !== undefined) words.push(word);
  return words;
}

/** The fields of one line of comma-separated values, as `--mount` and `--gpus` take them: `"a,b",c` are two. */
export function splitFields(text: string, unbalanced: () => Error): string[] {
  const fields: string[] = [];
  let field = "";
  let quoted = false;

  for (let i = 0; i < text.length; i++) {
    const char = text.charAt(i);
    if (quoted && char === '"' && text.charAt(i + 1) === '"') {
      field += '"';
      i++;
    } else if (char === '"' && (quoted || field === "")) {
      quoted = !quoted;
    } else if (char === "," && !quoted) {
      fields.push(field);
      field = "";
    } else {
      field += char;
    }
  }

  if (quoted) throw unbalanced();
  fields.push(field);
  return fields;
}
