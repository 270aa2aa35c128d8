import { BasicExpressionToken } from "@actions/workflow-parser/templates/tokens/basic-expression-token";
import { InsertExpressionToken } from "@actions/workflow-parser/templates/tokens/insert-expression-token";
import type { TemplateToken } from "@actions/workflow-parser/templates/tokens/template-token";
import {
  isBoolean,
  isMapping,
  isNumber,
  isSequence,
  isString,
} from "@actions/workflow-parser/templates/tokens/type-guards";
import type { Position, Template } from "../expressions/template.ts";

/** The parser's token as plain JSON. */
export function toTemplate(token: TemplateToken, file: string): Template {
  if (isString(token) || isNumber(token) || isBoolean(token)) return token.value;
  if (token instanceof BasicExpressionToken) {
    const at = positionOf(token, file);
    return { expr: token.expression, ...(at && { at }) };
  }
  if (isSequence(token)) return { seq: Array.from(token, (item) => toTemplate(item, file)) };
  if (isMapping(token)) {
    return {
      map: Array.from(token, ({ key, value }) => [
        key instanceof InsertExpressionToken ? { insert: true } : toTemplate(key, file),
        toTemplate(value, file),
      ]),
    };
  }
  return null;
}

export function positionOf(token: TemplateToken, file: string): Position | undefined {
  const { line, col } = token;
  return line === undefined || col === undefined ? undefined : { file, line, column: col };
}

/** The fields that are there, as templates, under the names they have here. */
export function templates<Name extends string>(
  fields: ReadonlyMap<string, TemplateToken>,
  file: string,
  names: { readonly [name in Name]: string },
): { [name in Name]?: Template } {
  const found: { [name in Name]?: Template } = {};
  for (const name of Object.keys(names) as Name[]) {
    const token = fields.get(names[name]);
    if (token) found[name] = toTemplate(token, file);
  }
  return found;
}
