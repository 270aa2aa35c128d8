import { isValidCron } from "@actions/workflow-parser/model/converter/cron";
import type { TemplateToken } from "@actions/workflow-parser/templates/tokens/template-token";
import {
  isBoolean,
  isMapping,
  isNumber,
  isSequence,
  isString,
} from "@actions/workflow-parser/templates/tokens/type-guards";
import type { Problems } from "./problems.ts";
import { fieldsOf, placeOf, stringsOf } from "./token-fields.ts";
import type { DispatchInput, Trigger } from "./workflow.ts";

const MAX_DISPATCH_INPUTS = 25;
const LISTS = [
  "types",
  "branches",
  "branches-ignore",
  "tags",
  "tags-ignore",
  "paths",
  "paths-ignore",
  "workflows",
] as const;

/** Reads `on`, whose shape the schema has checked. */
export function readTriggers(
  token: TemplateToken,
  problems: Problems,
): { on: { [event: string]: Trigger }; dispatchInputs: DispatchInput[] } {
  if (!isMapping(token)) {
    return {
      on: Object.fromEntries(stringsOf(token).map((event) => [event, {}])),
      dispatchInputs: [],
    };
  }
  const on: { [event: string]: Trigger } = {};
  let dispatchInputs: DispatchInput[] = [];
  for (const [event, value] of fieldsOf(token)) {
    on[event] = event === "schedule" ? readSchedule(value, problems) : readFilters(value, problems);
    if (event === "workflow_dispatch") dispatchInputs = readDispatchInputs(value, problems);
  }
  return { on, dispatchInputs };
}

function readFilters(token: TemplateToken, problems: Problems): Trigger {
  const fields = fieldsOf(token);
  for (const name of ["branches", "tags", "paths"]) {
    const ignore = fields.get(`${name}-ignore`);
    if (fields.has(name) && ignore) {
      problems.add(
        `'${name}' and '${name}-ignore' cannot both be given for one event; exclude with '!' in '${name}'`,
        placeOf(ignore),
      );
    }
  }
  const lists = LISTS.flatMap((name) => {
    const value = fields.get(name);
    return value ? [[name, stringsOf(value)] as const] : [];
  });
  return Object.fromEntries(lists);
}

function readSchedule(token: TemplateToken, problems: Problems): Trigger {
  if (!isSequence(token)) return {};
  const crons: string[] = [];
  for (const entry of token) {
    const cron = fieldsOf(entry).get("cron");
    if (!cron || !isString(cron)) continue;
    if (!isValidCron(cron.value)) {
      problems.add(
        `Invalid cron expression '${cron.value}'. Expected 'minute hour day month weekday', such as '30 5 * * 1'`,
        placeOf(cron),
      );
    }
    crons.push(cron.value);
  }
  return { crons };
}

function readDispatchInputs(token: TemplateToken, problems: Problems): DispatchInput[] {
  const inputs = fieldsOf(token).get("inputs");
  if (!inputs || !isMapping(inputs)) return [];
  if (inputs.count > MAX_DISPATCH_INPUTS) {
    problems.add(
      `workflow_dispatch takes at most ${MAX_DISPATCH_INPUTS} inputs, ${inputs.count} are defined`,
      placeOf(inputs.get(MAX_DISPATCH_INPUTS).key),
    );
  }
  return Array.from(inputs, ({ key, value }) => readDispatchInput(key.toString(), value, problems));
}

function readDispatchInput(name: string, token: TemplateToken, problems: Problems): DispatchInput {
  const fields = fieldsOf(token);
  const type = readType(fields.get("type"));
  const required = fields.get("required");
  const options = fields.get("options");
  const fallback = fields.get("default");

  if (type === "choice" && (!options || stringsOf(options).length === 0)) {
    problems.add(`Input '${name}' is a choice without 'options'`, placeOf(token));
  }
  if (type !== "choice" && options) {
    problems.add(`Input '${name}' has 'options' but is not of type 'choice'`, placeOf(options));
  }
  const input: DispatchInput = {
    name,
    type,
    required: required !== undefined && isBoolean(required) && required.value,
    options: options ? stringsOf(options) : [],
  };
  if (!fallback || !(isString(fallback) || isBoolean(fallback) || isNumber(fallback))) return input;

  const wrong = explainBadDefault(input, fallback.value);
  if (wrong) problems.add(`The default of input '${name}' ${wrong}`, placeOf(fallback));
  return { ...input, default: fallback.value };
}

function readType(token: TemplateToken | undefined): DispatchInput["type"] {
  const type = token?.toString();
  switch (type) {
    case "boolean":
    case "number":
    case "choice":
    case "environment":
      return type;
    default:
      return "string";
  }
}

function explainBadDefault(
  input: DispatchInput,
  value: string | boolean | number,
): string | undefined {
  if (input.type === "boolean" && typeof value !== "boolean") return "must be true or false";
  if (input.type === "number" && typeof value !== "number") return "must be a number";
  if (input.type === "choice" && !input.options.includes(String(value))) {
    return `must be one of its options: ${input.options.join(", ")}`;
  }
  return undefined;
}
