import { BerthError } from "../errors.ts";
import { evaluateTemplate, type Scope, toText } from "../expressions/evaluate.ts";
import type { Template } from "../expressions/template.ts";

/**
 * The variables that an `env:` mapping gives. Their names keep their case: `name` and `NAME` are two.
 *
 * @throws {BerthError} `WORKFLOW_INVALID` when an expression fails or it is no mapping.
 */
export async function readEnv(
  template: Template | undefined,
  scope: Scope,
): Promise<{ [name: string]: string }> {
  const variables: { [name: string]: string } = {};
  if (template === undefined || template === null) return variables;

  for (const part of entriesOf(template)) {
    const values = (await evaluateTemplate(part, scope)) ?? {};
    if (typeof values !== "object" || Array.isArray(values)) {
      throw new BerthError("WORKFLOW_INVALID", {
        message: `\`env\` must be a mapping of names to values, not ${toText(values)}.`,
      });
    }
    for (const [name, value] of Object.entries(values)) variables[name] = toText(value);
  }
  return variables;
}

/** A mapping entry by entry: evaluated as a whole, names that differ only in case would be refused. */
function entriesOf(template: Template): readonly Template[] {
  const isMapping = template !== null && typeof template === "object" && "map" in template;
  return isMapping ? template.map.map((entry) => ({ map: [entry] })) : [template];
}
