/** A problem matcher, read from its file and checked. */
export type ProblemMatcher = {
  readonly owner: string;
  /** What an annotation has whose line names no severity; empty for error. */
  readonly severity: string;
  readonly fromPath?: string;
  readonly patterns: readonly ProblemPattern[];
};

/** Numbers are groups of `regexp`, 0 for the whole match. */
export type ProblemPattern = { readonly regexp: RegExp; readonly loop: boolean } & {
  readonly [property in ProblemProperty]?: number;
};

const PROPERTIES = ["file", "line", "column", "severity", "code", "message", "fromPath"] as const;
export type ProblemProperty = (typeof PROPERTIES)[number];

/**
 * Reads a problem matcher file. The messages are those of GitHub's runner (`IssueMatcher.cs`).
 *
 * @throws {Error} with a message for the workflow's author when the file breaks a rule.
 */
export function parseMatcherFile(text: string): readonly ProblemMatcher[] {
  const entries = asArray(asObject(JSON.parse(text.replace(/^\uFEFF/, ""))).problemMatcher);
  const owners = new Set<string>();
  return entries.map((entry) => {
    const matcher = parseMatcher(asObject(entry));
    const owner = matcher.owner.toLowerCase();
    if (owners.has(owner)) throw new Error(`Duplicate owner name '${matcher.owner}'`);
    owners.add(owner);
    return matcher;
  });
}

function parseMatcher(entry: JsonObject): ProblemMatcher {
  const owner = asText(entry.owner);
  if (owner === "") throw new Error("Owner must not be empty");

  const severity = asText(entry.severity);
  if (!["", "error", "warning", "notice"].includes(severity.toLowerCase())) {
    throw new Error(`Matcher '${owner}' contains unexpected default severity '${severity}'`);
  }

  const entries = asArray(entry.pattern);
  if (entries.length === 0) throw new Error(`Matcher '${owner}' does not contain any patterns`);

  const set = new Set<ProblemProperty>();
  const patterns = entries.map((pattern, index) =>
    parsePattern(asObject(pattern), { index, count: entries.length, set }),
  );
  if (!set.has("message")) throw new Error("At least one pattern must set 'message'");

  const fromPath = asText(entry.fromPath);
  return { owner, severity, patterns, ...(fromPath === "" ? {} : { fromPath }) };
}

function parsePattern(
  entry: JsonObject,
  place: { index: number; count: number; set: Set<ProblemProperty> },
): ProblemPattern {
  const { index, count, set } = place;
  const loop = entry.loop === true;
  if (loop && (index === 0 || index !== count - 1)) {
    throw new Error("Only the last pattern in a multiline matcher may set 'loop'");
  }
  if (loop && asNumber(entry.message) === undefined) {
    throw new Error("The loop pattern must set 'message'");
  }

  const source = asText(entry.regexp);
  const regexp = new RegExp(source);
  // An alternative that matches nothing makes every group show, however the pattern names them.
  const groups = new RegExp(`${source}|`).exec("")?.length ?? 1;
  const numbers: { [property in ProblemProperty]?: number } = {};
  for (const property of PROPERTIES) {
    const group = asNumber(entry[property]);
    if (group === undefined) continue;
    if (set.has(property)) throw new Error(`The property '${property}' is set twice`);
    if (!Number.isInteger(group) || group < 0 || group >= groups) {
      throw new Error(`The property '${property}' is set to ${group} which is out of range`);
    }
    set.add(property);
    numbers[property] = group;
  }
  return { regexp, loop, ...numbers };
}

type JsonObject = { readonly [key: string]: unknown };

function asObject(value: unknown): JsonObject {
  if (!isObject(value)) throw new Error(`Expected an object, got ${JSON.stringify(value)}`);
  return value;
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function asArray(value: unknown): readonly unknown[] {
  if (value === undefined || value === null) return [];
  // One pattern alone is what editors allow in such files.
  return Array.isArray(value) ? value : [value];
}

function asText(value: unknown): string {
  if (value === undefined || value === null) return "";
  if (typeof value !== "string") throw new Error(`Expected a text, got ${JSON.stringify(value)}`);
  return value;
}

function asNumber(value: unknown): number | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "number") throw new Error(`Expected a number, got ${JSON.stringify(value)}`);
  return value;
}
