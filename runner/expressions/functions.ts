import { data, wellKnownFunctions } from "@actions/expressions";
import { adopt, type ExpressionData, Text } from "./expression-data.ts";
import { numberToText } from "./number-text.ts";
import { parseJson } from "./parse-json.ts";

type ExpressionFunction = (...args: ExpressionData[]) => ExpressionData;

/** The functions that every slot has, by lower-case name; `case` is the evaluator's, it must not evaluate everything. */
export const FUNCTIONS: ReadonlyMap<string, ExpressionFunction> = new Map([
  ...["contains", "startswith", "endswith", "join"].map(
    (name) => [name, fromLibrary(name)] as const,
  ),
  ["format", (text: ExpressionData, ...args: ExpressionData[]) => format(text, args)] as const,
  ["tojson", (value: ExpressionData) => new Text(printJson(value, ""))] as const,
  ["fromjson", fromJson] as const,
]);

function fromLibrary(name: string): ExpressionFunction {
  const definition = wellKnownFunctions[name];
  if (!definition) throw new Error(`@actions/expressions has no function ${name}`);
  return (...args) => adopt(definition.call(...args));
}

// The library prints an argument where a format specifier stands; the runner refuses it.
function format(text: ExpressionData, args: readonly ExpressionData[]): ExpressionData {
  const pattern = text.coerceString();
  const result = pattern.replace(/\{\{|\}\}|\{(\d+)\}|[{}]/g, (part, index: string | undefined) => {
    if (part === "{{" || part === "}}") return part.slice(1);
    const number = Number(index);
    if (index === undefined || number > 255) {
      throw new Error(`The following format string is invalid: ${pattern}`);
    }
    const arg = args[number];
    if (!arg) {
      throw new Error(
        `The following format string references more arguments than were supplied: ${pattern}`,
      );
    }
    return arg.coerceString();
  });
  return new Text(result);
}

function fromJson(text: ExpressionData): ExpressionData {
  try {
    return parseJson(text.coerceString());
  } catch (cause) {
    throw new Error("Error parsing fromJson", { cause });
  }
}

function printJson(value: ExpressionData, indent: string): string {
  if (value instanceof data.Null) return "null";
  if (value instanceof data.StringData) return JSON.stringify(value.value);
  if (value instanceof data.NumberData) return numberToText(value.value);
  if (value instanceof data.BooleanData) return String(value.value);

  const inner = `${indent}  `;
  if (value instanceof data.Array) {
    const items = value.values().map((item) => inner + printJson(item, inner));
    return items.length === 0 ? "[]" : `[\n${items.join(",\n")}\n${indent}]`;
  }
  const pairs = value
    .pairs()
    .map((pair) => `${inner}${JSON.stringify(pair.key)}: ${printJson(pair.value, inner)}`);
  return pairs.length === 0 ? "{}" : `{\n${pairs.join(",\n")}\n${indent}}`;
}
