/** What a command file says; `error` is what is wrong after the pairs, and those before it stay in effect. */
export type EnvFile = {
  readonly pairs: readonly (readonly [name: string, value: string])[];
  readonly error?: string;
};

/**
 * Reads `NAME=VALUE` lines and `NAME<<DELIMITER` blocks as GitHub's runner does on Linux (`EnvFileKeyValuePairs`): lines end
 * with `\n`, a `\r` before it belongs to the value, nothing is trimmed.
 */
export function readEnvFile(text: string): EnvFile {
  const pairs: [string, string][] = [];
  for (let at = 0; at < text.length; ) {
    const { line, next } = readLine(text, at);
    at = next;
    if (line === "") continue;

    const equals = line.indexOf("=");
    const arrows = line.indexOf("<<");
    if (equals >= 0 && (arrows < 0 || equals < arrows)) {
      if (equals === 0) return { pairs, error: emptyName(line) };
      pairs.push([line.slice(0, equals), line.slice(equals + 1)]);
    } else if (arrows >= 0) {
      const delimiter = line.slice(arrows + 2);
      if (arrows === 0 || delimiter === "") return { pairs, error: emptyName(line) };
      const block = readBlock(text, at, delimiter);
      if ("error" in block) return { pairs, error: block.error };
      pairs.push([line.slice(0, arrows), block.value]);
      at = block.next;
    } else {
      return { pairs, error: `Invalid format '${line}'` };
    }
  }
  return { pairs };
}

/** Reads a file of directories, one a line; any end of line counts. */
export function readPathFile(text: string): readonly string[] {
  return text.split(/\r\n|[\r\n]/).filter((line) => line !== "");
}

function readBlock(
  text: string,
  start: number,
  delimiter: string,
): { value: string; next: number } | { error: string } {
  for (let at = start; at < text.length; ) {
    const { line, next, isEnded } = readLine(text, at);
    if (line === delimiter) return { value: text.slice(start, Math.max(start, at - 1)), next };
    if (!isEnded) return { error: "Invalid value. EOF marker missing new line." };
    at = next;
  }
  return { error: `Invalid value. Matching delimiter not found '${delimiter}'` };
}

function readLine(text: string, at: number): { line: string; next: number; isEnded: boolean } {
  const end = text.indexOf("\n", at);
  return end < 0
    ? { line: text.slice(at), next: text.length, isEnded: false }
    : { line: text.slice(at, end), next: end + 1, isEnded: true };
}

function emptyName(line: string): string {
  return `Invalid format '${line}'. Name must not be empty and delimiter must not be empty`;
}
