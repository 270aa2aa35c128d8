import { MappingDefinition } from "@actions/workflow-parser/templates/schema/mapping-definition";
import { StringDefinition } from "@actions/workflow-parser/templates/schema/string-definition";
import type { TemplateSchema } from "@actions/workflow-parser/templates/schema/template-schema";
import type { TemplateToken } from "@actions/workflow-parser/templates/tokens/template-token";
import { isMapping, isSequence } from "@actions/workflow-parser/templates/tokens/type-guards";
import { WORKFLOW_ROOT } from "@actions/workflow-parser/workflows/workflow-constants";
import { getWorkflowSchema } from "@actions/workflow-parser/workflows/workflow-schema";
import { checkNeeds } from "./check-needs.ts";
import { type Problem, Problems, workflowInvalid } from "./problems.ts";
import { checkConcurrency, readDefaults, readJob, readPermissions } from "./read-job.ts";
import { readTokens } from "./read-tokens.ts";
import { readTriggers } from "./read-triggers.ts";
import { toTemplate } from "./to-template.ts";
import { fieldsOf, placeOf } from "./token-fields.ts";
import type { Workflow, WorkflowJob } from "./workflow.ts";

/** A workflow file: its path relative to the repository's root, and what is in it. */
export type WorkflowSource = { readonly file: string; readonly text: string };

/**
 * Reads a workflow file and checks it as GitHub does before anything starts.
 *
 * @throws {BerthError} `WORKFLOW_INVALID` with everything that is wrong, each as `file:line:col: message` and its line.
 */
export function readWorkflow(source: WorkflowSource): Workflow {
  const checked = checkWorkflow(source);
  if (!checked.workflow) throw workflowInvalid(checked.problems);
  return checked.workflow;
}

/** Like `readWorkflow`, but hands out what is wrong as a list. There is a workflow exactly when the list is empty. */
export function checkWorkflow({ file, text }: WorkflowSource): {
  readonly workflow?: Workflow;
  readonly problems: readonly Problem[];
} {
  const problems = new Problems(file, text);
  const tokens = readTokens(
    { file, text },
    { schema: correctedSchema(), root: WORKFLOW_ROOT },
    problems,
  );
  for (const { message, at } of tokens?.findings ?? []) problems.add(message, at);
  if (!tokens?.root || !isMapping(tokens.root)) return { problems: problems.list };

  const workflow = convert(tokens.root, file, problems);
  return problems.list.length > 0
    ? { problems: problems.list }
    : { workflow, problems: problems.list };
}

/** The library's schema takes `on: repository_dispatch` for another event's name, and refuses a container's empty image, which means none. */
function correctedSchema(): TemplateSchema {
  const schema = getWorkflowSchema();
  const dispatch = schema.getDefinition("repository-dispatch-string");
  if (dispatch instanceof StringDefinition) dispatch.constant = "repository_dispatch";
  const container = schema.getDefinition("container-mapping");
  const image = container instanceof MappingDefinition ? container.properties.image : undefined;
  if (image) Object.assign(image, { type: "string" });
  return schema;
}

function convert(root: TemplateToken, file: string, problems: Problems): Workflow {
  const context = { file, problems };
  const fields = fieldsOf(root);
  const template = (name: string) => {
    const token = fields.get(name);
    return token && toTemplate(token, file);
  };
  const on = fields.get("on");
  const name = fields.get("name")?.toString();
  const runName = template("run-name");
  const env = template("env");
  const concurrency = template("concurrency");
  checkConcurrency(fields.get("concurrency"), problems);

  return {
    file,
    ...(name && { name }),
    ...(runName !== undefined && { runName }),
    ...(on ? readTriggers(on, problems) : { on: {}, dispatchInputs: [] }),
    ...(env !== undefined && { env }),
    defaults: readDefaults(fields.get("defaults"), file),
    ...readPermissions(fields.get("permissions")),
    ...(concurrency !== undefined && { concurrency }),
    jobs: readJobs(fields.get("jobs"), context),
  };
}

function readJobs(
  token: TemplateToken | undefined,
  context: { readonly file: string; readonly problems: Problems },
): WorkflowJob[] {
  const { problems } = context;
  if (!token || !isMapping(token)) return [];
  const pairs = Array.from(token).filter(({ value }) => isMapping(value));
  if (pairs.length === 0) {
    problems.add(
      "The workflow must contain at least one job with no dependencies.",
      placeOf(token),
    );
  }
  const jobs = pairs.map(({ key, value }) => readJob(key, value, context));

  const placeOfNeed = (job: WorkflowJob, need: string) => {
    const needs = fieldsOf(fieldsOf(token).get(job.id)).get("needs");
    if (!needs) return job.at;
    const items = isSequence(needs) ? Array.from(needs) : [needs];
    const item = items.find((item) => item.toString().toLowerCase() === need.toLowerCase());
    return placeOf(item ?? needs);
  };
  return checkNeeds(jobs, placeOfNeed, problems);
}
