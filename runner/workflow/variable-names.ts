const MAX_BYTES = 48 * 1024;

/** What is wrong with a secret or configuration variable; `undefined` when nothing is. `GITHUB_TOKEN` is ours to give. */
export function explainBadVariable(
  kind: "secret" | "variable",
  name: string,
  value: string,
): string | undefined {
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
    return `The ${kind} name '${name}' is invalid: letters, digits and '_' only, not starting with a digit.`;
  }
  const isToken = kind === "secret" && name.toUpperCase() === "GITHUB_TOKEN";
  if (/^GITHUB_/i.test(name) && !isToken) {
    return `The ${kind} name '${name}' is invalid: names starting with GITHUB_ are reserved.`;
  }
  if (Buffer.byteLength(value) > MAX_BYTES) return `The ${kind} '${name}' is larger than 48 KB.`;
  return undefined;
}
