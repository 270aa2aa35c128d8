const SECRET_KEY =
  /^(\s*(?:- *)?(?:.*[{,] *)?["']?(?:privateKey|webhookSecret|password)["']?\s*:\s*)(.*)$/;

/** What is broken often stands further left than it should. */
const ANY_KEY = /^\s*["']?[\w-]+["']?\s*:/;

/** The file as its lines may be shown in a message: columns as they are, without what was written into it in clear. */
export function hideSecrets(text: string): string {
  let secretIndent: number | undefined;
  return text
    .split(/\r\n|\n|\r/)
    .map((line) => {
      const indent = line.search(/\S/);
      const isInside = secretIndent !== undefined && (indent > secretIndent || !ANY_KEY.test(line));
      if (isInside) return hide(line, /^(\s*(?:- *)?)(.*)$/);
      secretIndent = SECRET_KEY.test(line) ? indent : undefined;
      return hide(line, SECRET_KEY);
    })
    .join("\n");
}

/** A reference to a variable tells nothing. */
function hide(line: string, pattern: RegExp): string {
  const [, before = "", value = ""] = pattern.exec(line) ?? [];
  if (value.trim() === "" || /^["']?\$\{\w+\}["']?\s*$/.test(value) || before + value !== line)
    return line;
  return `${before}…`;
}
