import {
  Binary,
  ContextAccess,
  type Expr,
  FunctionCall,
  Grouping,
  IndexAccess,
  Literal,
  Logical,
  Star,
  Unary,
} from "@actions/expressions/ast";
import { parseExpression } from "./parse-expression.ts";

/**
 * What an expression reads of a context: its name and the keys after it, in lower case, as far as they are written down. `*` stands for
 * a filter and for a key that only evaluation can tell.
 */
export type ContextPath = readonly [string, ...string[]];

const CONTEXTS = [
  "github",
  "env",
  "vars",
  "job",
  "jobs",
  "steps",
  "runner",
  "secrets",
  "strategy",
  "matrix",
  "needs",
  "inputs",
];
const ANY_NUMBER = { minArgs: 0, maxArgs: Number.MAX_SAFE_INTEGER };
const FUNCTIONS = ["always", "success", "failure", "cancelled", "hashFiles"];

/**
 * All that an expression, given without its `${{ }}`, reads of contexts: `needs.a.outputs.x` is one path, `toJSON(needs)` is `["needs"]`.
 *
 * @throws {SyntaxError} When it is no expression.
 */
export function contextPaths(text: string): ContextPath[] {
  const functions = FUNCTIONS.map((name) => ({ name, ...ANY_NUMBER }));
  return pathsIn(parseExpression(text, CONTEXTS, functions));
}

function pathsIn(node: Expr): ContextPath[] {
  if (node instanceof ContextAccess) return [[node.name.lexeme.toLowerCase()]];
  if (node instanceof IndexAccess) return pathsOfAccess(node);
  if (node instanceof FunctionCall || node instanceof Logical) return node.args.flatMap(pathsIn);
  if (node instanceof Binary) return [...pathsIn(node.left), ...pathsIn(node.right)];
  if (node instanceof Unary) return pathsIn(node.expr);
  return node instanceof Grouping ? pathsIn(node.group) : [];
}

function pathsOfAccess(access: IndexAccess): ContextPath[] {
  const path = pathOf(access);
  const inner = path === undefined ? pathsIn(access.expr) : [path];
  return [...inner, ...keysOf(access).flatMap(pathsIn)];
}

/** `undefined` where it begins with no context, such as `fromJSON(needs.a.outputs.x).y`. */
function pathOf(node: Expr): ContextPath | undefined {
  if (node instanceof ContextAccess) return [node.name.lexeme.toLowerCase()];
  if (node instanceof Grouping) return pathOf(node.group);
  const path = node instanceof IndexAccess ? pathOf(node.expr) : undefined;
  return path && node instanceof IndexAccess ? [...path, keyOf(node.index)] : undefined;
}

/** What stands in brackets, of the whole chain where it begins with a context. */
function keysOf(node: Expr): Expr[] {
  if (node instanceof Grouping) return keysOf(node.group);
  if (!(node instanceof IndexAccess)) return [];
  const own = node.index instanceof Star ? [] : [node.index];
  return pathOf(node) === undefined ? own : [...keysOf(node.expr), ...own];
}

function keyOf(index: Expr): string {
  const isLiteral = index instanceof Literal;
  return isLiteral ? index.literal.coerceString().toLowerCase() : "*";
}
