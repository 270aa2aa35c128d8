import type { z } from "zod";
import { nearestWord } from "../containers/options/nearest-word.ts";
import { type SchemaNode, schemaAt } from "./json-schema.ts";
import type { Path } from "./placeholders.ts";

/** What to say of a place in the file; with `key` it is the key that is wrong. */
export type Explanation = { readonly path: Path; readonly key?: boolean; readonly message: string };

/**
 * What zod found, in words for who wrote the file. Values are never quoted: they may be secrets.
 *
 * @param data What was checked.
 */
export function explainIssue(
  issue: z.core.$ZodIssue,
  { data, schema }: { data: unknown; schema: SchemaNode },
): Explanation[] {
  const { path } = issue;
  const value = valueAt(data, path);
  const name = nameOf(path);
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => unknownKey(key, { path, schema }));
  }
  if (value === undefined && issue.code !== "custom") return [missing(path, schema)];
  const node = schemaAt(schema, path);
  return [
    {
      path,
      key: issue.code === "invalid_key",
      message: `${name}${explain(issue, { value, node })}`,
    },
  ];
}

type Found = { readonly value: unknown; readonly node: SchemaNode | undefined };

function explain(issue: z.core.$ZodIssue, { value, node }: Found): string {
  switch (issue.code) {
    case "invalid_type":
      return ` must be ${kindName(issue.expected)}, and is ${kindOf(value)}`;
    case "invalid_value":
      return explainChoice(issue, value);
    case "too_small":
      return ` must ${lengthWord(issue.origin)} ${issue.inclusive === false ? "more than" : "at least"} ${String(issue.minimum)}`;
    case "too_big":
      return ` must ${lengthWord(issue.origin)} at most ${String(issue.maximum)}`;
    case "invalid_union":
      return explainUnion(issue, node);
    case "invalid_format":
      return isOurs(issue.message)
        ? ` ${issue.message}`
        : ` is not of the right form. ${node?.description ?? ""}`;
    case "invalid_key":
      return `: ${issue.issues[0]?.message ?? "this name cannot be used"}`;
    default:
      return issue.message.startsWith("must") || issue.message.startsWith("may")
        ? ` ${issue.message}`
        : `: ${issue.message}`;
  }
}

/** zod's own messages begin with capitals. */
function isOurs(message: string): boolean {
  return /^[a-z]/.test(message);
}

function explainChoice(issue: z.core.$ZodIssueInvalidValue, value: unknown): string {
  const choices = issue.values.map(String);
  const nearest = typeof value === "string" ? nearestWord(value, choices) : undefined;
  const hint = nearest === undefined ? "" : `. Did you mean ${nearest}?`;
  if (isOurs(issue.message)) return ` ${issue.message}`;
  const list = choices.length > 12 ? `one of those in the documentation` : oneOf(choices);
  return ` must be ${list}${hint}`;
}

function explainUnion(issue: z.core.$ZodIssueInvalidUnion, node: SchemaNode | undefined): string {
  if (isOurs(issue.message)) return ` ${issue.message}`;
  return ` does not fit. ${node?.description ?? ""}`.trimEnd();
}

function unknownKey(
  key: string,
  { path, schema }: { path: Path; schema: SchemaNode },
): Explanation {
  const known = Object.keys(schemaAt(schema, path)?.properties ?? {});
  const where = path.length === 0 ? "" : ` in ${nameOf(path)}`;
  const hint = HINTS[key] ?? suggestion(key, known);
  return { path: [...path, key], key: true, message: `unknown key ${key}${where}. ${hint}` };
}

/** Keys that people know from elsewhere, or that stand somewhere else here. */
const HINTS: { readonly [key: string]: string } = {
  "<<": "Merge keys are not read; an alias (*name) in place of a whole value is.",
  gpus: "GPUs are leased: ask for them in needs, as gpu: { count: 1 }.",
};

function suggestion(key: string, known: readonly string[]): string {
  const nearest = nearestWord(key, known) ?? known.find((one) => isSameStem(one, key));
  return nearest === undefined ? `Known here: ${known.join(", ")}` : `Did you mean ${nearest}?`;
}

/** `mem` and `memory`, `repos` and `repositories`. */
function isSameStem(known: string, key: string): boolean {
  const stem = key.toLowerCase().replace(/s$/, "");
  return stem.length >= 3 && known.toLowerCase().startsWith(stem);
}

function missing(path: Path, schema: SchemaNode): Explanation {
  const holder = path.slice(0, -1);
  const key = String(path.at(-1) ?? "");
  const description = schemaAt(schema, path)?.description;
  const where = holder.length === 0 ? "" : ` in ${nameOf(holder)}`;
  const meaning = description === undefined ? "" : `: ${description}`;
  return { path: holder, key: true, message: `${key} is missing${where}${meaning}` };
}

/** `hosts[0].slots` */
export function nameOf(path: Path): string {
  if (path.length === 0) return "the file";
  return path
    .map((step) => (typeof step === "number" ? `[${step}]` : `.${String(step)}`))
    .join("")
    .replace(/^\./, "");
}

export function valueAt(data: unknown, path: Path): unknown {
  let value = data;
  for (const step of path) {
    if (typeof value !== "object" || value === null) return undefined;
    if (!Object.hasOwn(value, step)) return undefined;
    value = (value as { readonly [key: PropertyKey]: unknown })[step];
  }
  return value;
}

function lengthWord(origin: string): string {
  return origin === "array" || origin === "string" ? "have" : "be";
}

function kindName(expected: string): string {
  const names: { readonly [kind: string]: string } = {
    object: "a mapping of keys",
    record: "a mapping of names",
    array: "a list",
    string: "text",
    int: "a whole number",
    number: "a number",
    boolean: "true or false",
  };
  return names[expected] ?? expected;
}

function kindOf(value: unknown): string {
  if (value === null) return "empty";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "a mapping";
  if (typeof value === "string") return "text";
  if (typeof value === "number") return Number.isInteger(value) ? "a number" : "a fraction";
  return typeof value === "boolean" ? "true or false" : typeof value;
}

function oneOf(choices: readonly string[]): string {
  return choices.length < 2
    ? choices.join("")
    : `${choices.slice(0, -1).join(", ")} or ${choices.at(-1)}`;
}
