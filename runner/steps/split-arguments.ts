/**
 * Splits a command line as .NET does on Linux: blanks separate, `"` groups, `\"` is a quote;
 * backslashes count only before a quote, single quotes are ordinary.
 */
export function splitArguments(line: string): string[] {
  const found: string[] = [];
  let current: string | undefined;
  let isQuoted = false;

  for (const { 0: token, groups } of line.matchAll(
    /(?<slashes>\\*)"|(?<blank>[ \t])|[^ \t"\\]+|\\+/g,
  )) {
    if (groups?.blank !== undefined && !isQuoted) {
      if (current !== undefined) found.push(current);
      current = undefined;
      continue;
    }
    if (groups?.slashes === undefined) {
      current = (current ?? "") + token;
      continue;
    }
    const slashes = groups.slashes.length;
    current = (current ?? "") + "\\".repeat(Math.floor(slashes / 2));
    if (slashes % 2 === 1) current += '"';
    else isQuoted = !isQuoted;
  }

  if (current !== undefined) found.push(current);
  return found;
}
