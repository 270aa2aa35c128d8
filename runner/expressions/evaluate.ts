import { data, Evaluator } from "@actions/expressions";
import type { Expr, FunctionCall } from "@actions/expressions/ast";
import { BerthError, textOf } from "../errors.ts";
import { type ExpressionData, ObjectData, Text, toData, toJson } from "./expression-data.ts";
import { FUNCTIONS } from "./functions.ts";
import { type ExtraFunction, parseExpression } from "./parse-expression.ts";
import type { Json, Position, Template } from "./template.ts";

/** What an expression can see. A context or function that is not here is unknown to it. */
export type Scope = {
  /** By name, as a value or a function that is asked only when an expression names the context. */
  readonly contexts: { readonly [name: string]: Json | (() => Json) };
  /** The status functions, where the slot is an `if`; `ids` are the arguments, only jobs take any. */
  readonly status?: {
    success(ids: readonly string[]): boolean;
    failure(ids: readonly string[]): boolean;
    cancelled(): boolean;
  };
  /** SHA-256, in hex, over the files that match; `""` when none does. */
  readonly hashFiles?: (patterns: readonly string[]) => Promise<string>;
};

/**
 * The value of one expression, given without its `${{ }}`.
 *
 * @throws {BerthError} `WORKFLOW_INVALID`, with the expression and where it stands, if known.
 */
export async function evaluateExpression(expr: string, scope: Scope, at?: Position): Promise<Json> {
  return toJson(await evaluate(expr, scope, at));
}

/** Whether an `if`, already combined with `success()`, holds. Everything but null, false, 0, NaN and `""` does. */
export async function evaluateCondition(
  condition: string,
  scope: Scope,
  at?: Position,
): Promise<boolean> {
  return isTruthy(await evaluateExpression(condition, scope, at));
}

/**
 * A template with every expression in it replaced by its value: values keep their types, an array spreads into the sequence
 * it stands in, `${{ insert }}` merges a mapping into its own.
 *
 * @throws {BerthError} `WORKFLOW_INVALID` when an expression fails or a key is no string or stands twice.
 */
export async function evaluateTemplate(template: Template, scope: Scope): Promise<Json> {
  if (template === null || typeof template !== "object") return template;
  if ("expr" in template) return await evaluateExpression(template.expr, scope, template.at);
  if ("seq" in template) return await evaluateSequence(template.seq, scope);
  return await evaluateMapping(template.map, scope);
}

/** A value as text: what stands in a script where `${{ }}` stood. */
export function toText(value: Json): string {
  return toData(value).coerceString();
}

export function isTruthy(value: Json): boolean {
  return typeof value === "number" ? value !== 0 && !Number.isNaN(value) : Boolean(value ?? false);
}

async function evaluateSequence(items: readonly Template[], scope: Scope): Promise<Json[]> {
  const values: Json[] = [];
  for (const item of items) {
    const value = await evaluateTemplate(item, scope);
    const isSpliced = isExpression(item) && isList(value);
    if (isSpliced) values.push(...value);
    else values.push(value);
  }
  return values;
}

async function evaluateMapping(
  pairs: Extract<Template, { map: unknown }>["map"],
  scope: Scope,
): Promise<Json> {
  const values = new Map<string, { key: string; value: Json }>();
  const add = (key: string, value: Json, at?: Position): void => {
    if (values.has(key.toUpperCase())) throw invalid(`'${key}' is already defined`, at);
    values.set(key.toUpperCase(), { key, value });
  };

  for (const [key, template] of pairs) {
    const value = await evaluateTemplate(template, scope);
    if (isInsert(key)) {
      if (!isObject(value)) throw invalid("${{ insert }} needs a mapping", positionOf(template));
      for (const [name, inserted] of Object.entries(value)) add(name, inserted);
      continue;
    }
    const name = await evaluateTemplate(key, scope);
    if (typeof name !== "string" && isExpression(key)) {
      throw invalid("A key must be a string", key.at, key.expr);
    }
    add(toText(name), value, isExpression(key) ? key.at : undefined);
  }
  return Object.fromEntries([...values.values()].map(({ key, value }) => [key, value]));
}

async function evaluate(
  expr: string,
  scope: Scope,
  at: Position | undefined,
): Promise<ExpressionData> {
  const hashes = new Map<string, string>();
  const wanted: string[][] = [];
  let tree: Expr;
  try {
    tree = parseExpression(expr, Object.keys(scope.contexts), extraFunctions(scope));
  } catch (cause) {
    throw invalid(textOf(cause), at, expr, cause);
  }

  // The library evaluates synchronously, but files are hashed elsewhere: evaluate, hash what was asked for, evaluate again.
  for (;;) {
    try {
      return new ScopedEvaluator(tree, scope, { hashes, wanted }).evaluate();
    } catch (cause) {
      const patterns = wanted.pop();
      if (!patterns || !scope.hashFiles) throw invalid(textOf(cause), at, expr, cause);
      hashes.set(JSON.stringify(patterns), await scope.hashFiles(patterns));
    }
  }
}

function extraFunctions(scope: Scope): ExtraFunction[] {
  const functions: ExtraFunction[] = [];
  const anyNumber = Number.MAX_SAFE_INTEGER;
  if (scope.status) {
    functions.push(
      { name: "always", minArgs: 0, maxArgs: 0 },
      { name: "cancelled", minArgs: 0, maxArgs: 0 },
      { name: "success", minArgs: 0, maxArgs: anyNumber },
      { name: "failure", minArgs: 0, maxArgs: anyNumber },
    );
  }
  if (scope.hashFiles) functions.push({ name: "hashFiles", minArgs: 1, maxArgs: 255 });
  return functions;
}

class ScopedEvaluator extends Evaluator {
  readonly #scope: Scope;
  readonly #files: { readonly hashes: ReadonlyMap<string, string>; readonly wanted: string[][] };

  constructor(
    tree: Expr,
    scope: Scope,
    files: { readonly hashes: ReadonlyMap<string, string>; readonly wanted: string[][] },
  ) {
    super(tree, new ContextsData(scope.contexts));
    this.#scope = scope;
    this.#files = files;
  }

  override visitFunctionCall(call: FunctionCall): ExpressionData {
    const name = call.functionName.lexeme.toLowerCase();
    if (name === "case") return this.#choose(call);
    const args = call.args.map((arg) => this.eval(arg));
    return FUNCTIONS.get(name)?.(...args) ?? this.#callScope(name, args);
  }

  #choose(call: FunctionCall): ExpressionData {
    const [fallback] = call.args.slice(-1);
    for (let i = 0; i + 1 < call.args.length; i += 2) {
      const [when, then] = call.args.slice(i, i + 2);
      const predicate = when && this.eval(when);
      if (!(predicate instanceof data.BooleanData)) {
        throw new Error("case predicate must evaluate to a boolean value");
      }
      if (predicate.value && then) return this.eval(then);
    }
    return fallback ? this.eval(fallback) : new data.Null();
  }

  #callScope(name: string, args: readonly ExpressionData[]): ExpressionData {
    const texts = args.map((arg) => arg.coerceString());
    const { status } = this.#scope;
    switch (name) {
      case "hashfiles":
        return this.#hashFiles(texts);
      case "success":
        return new data.BooleanData(status?.success(texts) ?? false);
      case "failure":
        return new data.BooleanData(status?.failure(texts) ?? false);
      case "cancelled":
        return new data.BooleanData(status?.cancelled() ?? false);
      case "always":
        return new data.BooleanData(true);
      default:
        throw new Error(`Unrecognized function: '${name}'`);
    }
  }

  #hashFiles(patterns: string[]): ExpressionData {
    const hash = this.#files.hashes.get(JSON.stringify(patterns));
    if (hash !== undefined) return new Text(hash);
    this.#files.wanted.push(patterns);
    throw new Error("hashFiles was not computed yet");
  }
}

/** The contexts themselves: asked for when named. Only `env` tells apart names that differ in case. */
class ContextsData extends data.Dictionary {
  readonly #contexts: Scope["contexts"];
  readonly #read = new Map<string, ExpressionData>();

  constructor(contexts: Scope["contexts"]) {
    super();
    this.#contexts = contexts;
  }

  override get(name: string): ExpressionData {
    const wanted = name.toLowerCase();
    const known = this.#read.get(wanted);
    if (known) return known;

    const [, given = null] =
      Object.entries(this.#contexts).find(([key]) => key.toLowerCase() === wanted) ?? [];
    const value = typeof given === "function" ? given() : given;
    const context =
      wanted === "env" && isObject(value) ? new ObjectData(value, true) : toData(value);
    this.#read.set(wanted, context);
    return context;
  }
}

function invalid(reason: string, at?: Position, expr?: string, cause?: unknown): BerthError {
  const where = at ? `${at.file}:${at.line}:${at.column}: ` : "";
  const what = expr === undefined || reason.includes(expr) ? "" : ` (in \${{ ${expr} }})`;
  return new BerthError("WORKFLOW_INVALID", { message: `${where}${reason}${what}`, cause });
}

function isExpression(
  template: Template | { insert: true },
): template is { expr: string; at?: Position } {
  return template !== null && typeof template === "object" && "expr" in template;
}

function isInsert(key: Template | { readonly insert: true }): key is { readonly insert: true } {
  return key !== null && typeof key === "object" && "insert" in key;
}

function isList(value: Json): value is readonly Json[] {
  return Array.isArray(value);
}

function isObject(value: Json): value is { readonly [key: string]: Json } {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}

function positionOf(template: Template): Position | undefined {
  return isExpression(template) ? template.at : undefined;
}
