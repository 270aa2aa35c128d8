import { getActionSchema } from "@actions/workflow-parser/actions/action-schema";
import type { TemplateToken } from "@actions/workflow-parser/templates/tokens/template-token";
import { isMapping, isScalar } from "@actions/workflow-parser/templates/tokens/type-guards";
import { BerthError } from "../errors.ts";
import { Problems, printProblems } from "../workflow/problems.ts";
import type { ReadContext } from "../workflow/read-steps.ts";
import { type Finding, readTokens } from "../workflow/read-tokens.ts";
import { toTemplate } from "../workflow/to-template.ts";
import { fieldsOf, placeOf } from "../workflow/token-fields.ts";
import type { ActionInput, ActionManifest } from "./action-manifest.ts";
import { kindOfRuns, readRuns } from "./read-runs.ts";

/**
 * Reads an `action.yml` and checks it as GitHub's runner does.
 *
 * @param file What the file is called in errors.
 * @throws {BerthError} `ACTION_INVALID` with everything that is wrong, each as `file:line:col: message` and its line.
 */
export function readManifest(text: string, file: string): ActionManifest {
  const problems = new Problems(file, text);
  const context = { file, problems };
  const schema = { schema: getActionSchema(), root: "action-root" };
  const tokens = readTokens({ file, text }, schema, problems);
  const root = tokens?.root && isMapping(tokens.root) ? tokens.root : undefined;
  // Before the schema's findings: it does not know `using`, and says less of the same place.
  const kind = root && kindOfRuns(root, context);
  const runs = fieldsOf(root).get("runs");
  for (const finding of tokens?.findings ?? []) {
    if (!isGuess(finding, runs)) problems.add(finding.message, finding.at);
  }

  const name = fieldsOf(root).get("name")?.toString();
  const inputs = readInputs(fieldsOf(root).get("inputs"), context);
  const read = root && kind && readRuns(kind, root, context);
  if (problems.list.length > 0 || !read) {
    throw new BerthError("ACTION_INVALID", { message: printProblems(problems.list) });
  }
  return { ...(name && { name }), inputs, runs: read };
}

/** The schema cannot tell which kind of action is meant; `using` can. */
function isGuess({ message, at }: Finding, runs: TemplateToken | undefined): boolean {
  const place = runs && placeOf(runs);
  const isThere = at && place && at.line === place.line && at.column === place.column;
  return isThere === true && message.startsWith("There's not enough info");
}

function readInputs(
  token: TemplateToken | undefined,
  { file, problems }: ReadContext,
): ActionManifest["inputs"] {
  const inputs = Array.from(fieldsOf(token), ([name, input]): [string, ActionInput] => {
    const fields = new Map(
      Array.from(fieldsOf(input), ([field, value]) => [field.toLowerCase(), value]),
    );
    const value = fields.get("default");
    const deprecation = fields.get("deprecationmessage");
    if (deprecation && !isScalar(deprecation)) {
      problems.add("deprecationMessage must be a text", placeOf(deprecation));
    }
    return [
      name,
      {
        required: fields.get("required")?.toString() === "true",
        ...(value && { default: toTemplate(value, file) }),
        ...(deprecation && { deprecationMessage: deprecation.toString() }),
      },
    ];
  });
  return Object.fromEntries(inputs);
}
