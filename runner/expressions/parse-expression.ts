import { ExpressionError, Lexer, Parser } from "@actions/expressions";
import {
  Binary,
  type Expr,
  FunctionCall,
  Grouping,
  IndexAccess,
  Literal,
  Logical,
  Unary,
} from "@actions/expressions/ast";
import { type Token, TokenType } from "@actions/expressions/lexer";
import { adopt } from "./expression-data.ts";
import { FUNCTIONS } from "./functions.ts";
import { textToNumber } from "./number-text.ts";

/** A function that only some slots have, with how many arguments it takes. */
export type ExtraFunction = {
  readonly name: string;
  readonly minArgs: number;
  readonly maxArgs: number;
};

const STATUS_FUNCTIONS: ReadonlySet<string> = new Set([
  "success",
  "failure",
  "cancelled",
  "always",
]);
const MAX_CHARACTERS = 21_000;

/**
 * Parses one expression, without its `${{ }}`, for a slot that has these contexts and functions.
 *
 * @throws {SyntaxError} In GitHub's words, with the position within the expression.
 */
export function parseExpression(
  text: string,
  contexts: readonly string[],
  functions: readonly ExtraFunction[],
): Expr {
  const parser = new Parser(lex(text), [...contexts], [...functions]);
  let tree: Expr | undefined;
  try {
    tree = parser.parse();
  } catch (cause) {
    if (!(cause instanceof ExpressionError)) throw cause;
    const before = text.split("\n").slice(0, cause.pos.line);
    const offset = before.reduce((sum, line) => sum + line.length + 1, cause.pos.column);
    throw located(cause.message, text, offset, cause);
  }
  if (!tree) throw new SyntaxError("An expression was expected");

  const known = new Set([...functions.map((extra) => extra.name.toLowerCase()), "case"]);
  walk(tree, (node) => {
    if (node instanceof Literal) node.literal = adopt(node.literal);
    if (!(node instanceof FunctionCall)) return;
    // The library finds names such as `constructor` in its plain table of functions.
    const name = node.functionName.lexeme;
    if (FUNCTIONS.has(name.toLowerCase()) || known.has(name.toLowerCase())) return;
    throw located(`Unrecognized function: '${name}'`, text, text.indexOf(name));
  });
  return tree;
}

/**
 * An `if` as GitHub understands it: an empty one is `success()`, one without any status function is combined with it.
 *
 * @param text The expression without `${{ }}`.
 * @throws {SyntaxError} When the text cannot be split into symbols.
 */
export function withImplicitSuccess(text: string): string {
  const trimmed = text.trim();
  if (trimmed === "") return "success()";
  return hasStatusFunction(trimmed) ? trimmed : `success() && (${trimmed})`;
}

function hasStatusFunction(text: string): boolean {
  const tokens = lex(text);
  return tokens.some(
    (token, index) =>
      token.type === TokenType.IDENTIFIER &&
      STATUS_FUNCTIONS.has(token.lexeme.toLowerCase()) &&
      tokens[index + 1]?.type === TokenType.LEFT_PAREN &&
      tokens[index - 1]?.type !== TokenType.DOT,
  );
}

function lex(text: string): Token[] {
  if (text.length > MAX_CHARACTERS) {
    throw new SyntaxError(`Exceeded max expression length ${MAX_CHARACTERS}`);
  }
  const { tokens } = new Lexer(text).lex();
  return tokens.map((token) => correct(token, text));
}

/** The library unescapes only the first `''` of a string, and reads numbers as JavaScript does. */
function correct(token: Token, text: string): Token {
  if (token.type === TokenType.STRING) {
    return { ...token, value: token.lexeme.slice(1, -1).replaceAll("''", "'") };
  }
  if (token.type !== TokenType.NUMBER || token.lexeme === "NaN") return token;
  const value = textToNumber(token.lexeme);
  if (!Number.isNaN(value)) return { ...token, value };
  throw located(`Unexpected symbol: '${token.lexeme}'`, text, text.indexOf(token.lexeme));
}

function located(message: string, text: string, offset: number, cause?: unknown): SyntaxError {
  const where = `Located at position ${offset + 1} within expression: ${text}`;
  return new SyntaxError(`${message}. ${where}`, { cause });
}

function walk(node: Expr, visit: (node: Expr) => void): void {
  visit(node);
  if (node instanceof FunctionCall || node instanceof Logical) {
    for (const arg of node.args) walk(arg, visit);
  } else if (node instanceof Unary) walk(node.expr, visit);
  else if (node instanceof Grouping) walk(node.group, visit);
  else if (node instanceof Binary) {
    walk(node.left, visit);
    walk(node.right, visit);
  } else if (node instanceof IndexAccess) {
    walk(node.expr, visit);
    walk(node.index, visit);
  }
}
