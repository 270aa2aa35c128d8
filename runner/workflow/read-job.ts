import type { TemplateToken } from "@actions/workflow-parser/templates/tokens/template-token";
import {
  isBasicExpression,
  isBoolean,
  isMapping,
  isSequence,
  isString,
} from "@actions/workflow-parser/templates/tokens/type-guards";
import { checkContainers } from "./check-containers.ts";
import { explainBadCall, explainBadId } from "./identifiers.ts";
import { explainBadMatrix } from "./matrix.ts";
import { expandPermissions } from "./permissions.ts";
import type { Problems } from "./problems.ts";
import { type ReadContext, readCondition, readSteps } from "./read-steps.ts";
import { positionOf, templates, toTemplate } from "./to-template.ts";
import { fieldsOf, placeOf, stringsOf } from "./token-fields.ts";
import type { Defaults, Permissions, WorkflowJob } from "./workflow.ts";

const MAX_GROUP_CHARACTERS = 400;

/** Reads one job, whose shape the schema has checked. `needs` are as written; the graph is checked later. */
export function readJob(
  key: TemplateToken,
  token: TemplateToken,
  context: ReadContext,
): WorkflowJob {
  const { file, problems } = context;
  const id = key.toString();
  const fields = fieldsOf(token);
  const uses = fields.get("uses");
  const condition = fields.get("if");
  const steps = fields.get("steps");

  const badId = explainBadId(id);
  if (badId) problems.add(badId, placeOf(key));
  if (!uses && !(steps && isSequence(steps) && steps.count > 0)) {
    problems.add(`Job '${id}' has no steps and calls no workflow`, placeOf(key));
  }
  checkContainers(fields, problems);
  checkStrategy(fields.get("strategy"), context);
  checkConcurrency(fields.get("concurrency"), problems);

  const at = positionOf(key, file) ?? { file, line: 1, column: 1 };
  const ifAt = condition && positionOf(condition, file);
  return {
    id,
    at,
    needs: fields.has("needs") ? stringsOf(fields.get("needs") ?? key) : [],
    if: readCondition(condition, problems),
    ...(ifAt && { ifAt }),
    ...readNameText(fields.get("name")),
    ...templates(fields, file, {
      name: "name",
      strategy: "strategy",
      runsOn: "runs-on",
      timeoutMinutes: "timeout-minutes",
      continueOnError: "continue-on-error",
      container: "container",
      services: "services",
      env: "env",
      environment: "environment",
      concurrency: "concurrency",
      outputs: "outputs",
    }),
    ...readPermissions(fields.get("permissions")),
    defaults: readDefaults(fields.get("defaults"), file),
    steps: steps && isSequence(steps) ? readSteps(Array.from(steps), context) : [],
    ...(uses && { call: readCall(uses, fields, context) }),
  };
}

/** `defaults.run`; empty values count as absent. */
export function readDefaults(token: TemplateToken | undefined, file: string): Defaults {
  return templates(fieldsOf(fieldsOf(token).get("run")), file, {
    shell: "shell",
    workingDirectory: "working-directory",
  });
}

export function readPermissions(token: TemplateToken | undefined): { permissions?: Permissions } {
  if (!token) return {};
  if (isString(token)) return { permissions: expandPermissions(token.value) };
  const scopes = Array.from(fieldsOf(token), ([scope, level]) => [scope, level.toString()]);
  return { permissions: expandPermissions(Object.fromEntries(scopes)) };
}

export function checkConcurrency(token: TemplateToken | undefined, problems: Problems): void {
  if (!token) return;
  const fields = fieldsOf(token);
  const group = isMapping(token) ? fields.get("group") : token;
  if (group && isString(group)) {
    if (group.value.trim() === "") problems.add("The concurrency group is empty", placeOf(group));
    if (group.value.length > MAX_GROUP_CHARACTERS) {
      problems.add(
        `The concurrency group is longer than ${MAX_GROUP_CHARACTERS} characters`,
        placeOf(group),
      );
    }
  }
  const cancel = fields.get("cancel-in-progress");
  const queue = fields.get("queue");
  if (queue?.toString() === "max" && cancel && isBoolean(cancel) && cancel.value) {
    problems.add("'queue: max' cannot be combined with 'cancel-in-progress'", placeOf(queue));
  }
}

function readCall(
  uses: TemplateToken,
  fields: ReadonlyMap<string, TemplateToken>,
  { file, problems }: ReadContext,
): NonNullable<WorkflowJob["call"]> {
  const wrong = explainBadCall(uses.toString());
  if (wrong) problems.add(wrong, placeOf(uses));
  const at = positionOf(uses, file) ?? { file, line: 1, column: 1 };
  const secrets = fields.get("secrets");
  const isInherited = secrets && isString(secrets) && secrets.value === "inherit";
  return {
    uses: uses.toString(),
    at,
    ...templates(fields, file, { with: "with" }),
    ...(secrets && { secrets: isInherited ? ("inherit" as const) : toTemplate(secrets, file) }),
  };
}

function readNameText(token: TemplateToken | undefined): { nameText?: string } {
  if (!token) return {};
  // Of mixed text `expression` is a format(…) call; `source` still has what was written.
  const isMixed = isBasicExpression(token) && token.originalExpressions !== undefined;
  const text = (isMixed && token.source) || token.toString();
  return text === "" ? {} : { nameText: text };
}

function checkStrategy(token: TemplateToken | undefined, { file, problems }: ReadContext): void {
  const matrix = fieldsOf(token).get("matrix");
  if (!matrix) return;
  const wrong = explainBadMatrix(toTemplate(matrix, file));
  if (wrong) problems.add(wrong, placeOf(matrix));
}
