/**
 * Whether a branch, tag or path is wanted by filter patterns: `*` without slash, `**` anything, `?` and `+` repeat the character
 * before them, `[…]` one of a set, `\` escapes. A later pattern overrides an earlier one; `!` takes away.
 */
export function matchesPatterns(name: string, patterns: readonly string[]): boolean {
  let isWanted = false;
  for (const pattern of patterns) {
    const isNegative = pattern.startsWith("!");
    if (toRegExp(isNegative ? pattern.slice(1) : pattern).test(name)) isWanted = !isNegative;
  }
  return isWanted;
}

function toRegExp(pattern: string): RegExp {
  let source = "";
  for (const [token] of pattern.matchAll(/\*\*\/|\*\*|\\[\s\S]|\[[^\]]+\]|[\s\S]/g)) {
    const isAtSegmentStart = source === "" || source.endsWith("/");
    if (token === "**/") source += isAtSegmentStart ? "(?:.*/)?" : ".*/";
    else if (token === "**") source += ".*";
    else if (token === "*") source += "[^/]*";
    else if (token === "?" || token === "+") source += source === "" ? `\\${token}` : token;
    else if (token.length > 1 && token.startsWith("[")) source += token.replaceAll("\\", "\\\\");
    else source += escapeRegExp(token.startsWith("\\") ? token.slice(1) || "\\" : token);
  }
  try {
    return new RegExp(`^(?:${source})$`, "s");
  } catch {
    return new RegExp(`^${escapeRegExp(pattern)}$`); // such as `a+?+`: no pattern, so itself
  }
}

function escapeRegExp(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&");
}
