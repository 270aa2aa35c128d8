import type { TemplateToken } from "@actions/workflow-parser/templates/tokens/template-token";
import {
  isMapping,
  isScalar,
  isSequence,
  isString,
} from "@actions/workflow-parser/templates/tokens/type-guards";

/** The values of a mapping by literal key; empty for anything else. */
export function fieldsOf(token: TemplateToken | undefined): ReadonlyMap<string, TemplateToken> {
  if (!token || !isMapping(token)) return new Map();
  const literal = Array.from(token).filter(({ key }) => isString(key));
  return new Map(literal.map(({ key, value }) => [key.toString(), value]));
}

/** A text or a list of texts as a list. */
export function stringsOf(token: TemplateToken): string[] {
  if (isSequence(token)) return Array.from(token).filter(isLiteralScalar).map(String);
  return isLiteralScalar(token) ? [String(token)] : [];
}

export function placeOf(token: TemplateToken): { line: number; column: number } | undefined {
  return token.range?.start;
}

function isLiteralScalar(token: TemplateToken): boolean {
  return isScalar(token) && !token.isExpression;
}
