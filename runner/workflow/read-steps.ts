import { splitAllowedContext } from "@actions/workflow-parser/templates/allowed-context";
import type { TemplateToken } from "@actions/workflow-parser/templates/tokens/template-token";
import { isBasicExpression } from "@actions/workflow-parser/templates/tokens/type-guards";
import { explainBadUses } from "../actions/parse-reference.ts";
import { textOf } from "../errors.ts";
import { parseExpression, withImplicitSuccess } from "../expressions/parse-expression.ts";
import type { StepDescription } from "../job/job-description.ts";
import { explainBadId, explainDuplicateId, generateStepIds } from "./identifiers.ts";
import type { Problems } from "./problems.ts";
import { positionOf, templates, toTemplate } from "./to-template.ts";
import { fieldsOf, placeOf } from "./token-fields.ts";

/** What reading needs to know of the file and where to put what is wrong with it. */
export type ReadContext = { readonly file: string; readonly problems: Problems };

/** Reads the steps of a job or of a composite action, whose shape the schema has checked. */
export function readSteps(
  tokens: readonly TemplateToken[],
  context: ReadContext,
): StepDescription[] {
  const taken = new Set<string>();
  const given = tokens.map((token) => {
    const id = fieldsOf(token).get("id");
    if (!id) return undefined;
    const text = id.toString();
    const wrong =
      explainBadId(text) ?? (taken.has(text.toLowerCase()) ? explainDuplicateId(text) : undefined);
    if (wrong) context.problems.add(wrong, placeOf(id));
    taken.add(text.toLowerCase());
    return text;
  });
  const nameless = tokens.filter((_token, index) => given[index] === undefined);
  const generated = generateStepIds(
    nameless.map((token) => fieldsOf(token).get("uses")?.toString()),
  ).values();
  return tokens.flatMap((token, index) => {
    const id = given[index] ?? generated.next().value;
    const step = id === undefined ? undefined : readStep(id, token, context);
    return step ? [step] : [];
  });
}

function readStep(
  id: string,
  token: TemplateToken,
  { file, problems }: ReadContext,
): StepDescription | undefined {
  const fields = fieldsOf(token);
  const run = fields.get("run");
  const uses = fields.get("uses");
  const at = positionOf(token, file);
  const base = {
    id,
    if: readCondition(fields.get("if"), problems),
    ...templates(fields, file, {
      name: "name",
      env: "env",
      continueOnError: "continue-on-error",
      timeoutMinutes: "timeout-minutes",
    }),
    ...(at && { at }),
  };
  if (run) {
    const shell = fields.get("shell");
    return {
      ...base,
      kind: "run",
      run: toTemplate(run, file),
      ...(shell && { shell: toTemplate(shell, file) }),
      ...templates(fields, file, { workingDirectory: "working-directory" }),
    };
  }
  if (!uses) return undefined; // the schema has said so
  const wrong = explainBadUses(uses.toString());
  if (wrong) problems.add(wrong, placeOf(uses));
  return {
    ...base,
    kind: "uses",
    uses: uses.toString(),
    ...templates(fields, file, { with: "with" }),
  };
}

/** An `if`, checked against the contexts and functions its place has, with the implicit `success()`. */
export function readCondition(token: TemplateToken | undefined, problems: Problems): string {
  if (!token) return "success()";
  const text = isBasicExpression(token) ? token.expression : token.toString();
  try {
    const { namedContexts, functions } = splitAllowedContext(
      token.definitionInfo?.allowedContext ?? [],
    );
    if (text.trim() !== "") parseExpression(text.trim(), namedContexts, functions);
    return withImplicitSuccess(text);
  } catch (error) {
    problems.add(textOf(error), placeOf(token));
    return "success()";
  }
}
