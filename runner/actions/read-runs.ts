import { splitAllowedContext } from "@actions/workflow-parser/templates/allowed-context";
import type { MappingToken } from "@actions/workflow-parser/templates/tokens/mapping-token";
import type { TemplateToken } from "@actions/workflow-parser/templates/tokens/template-token";
import {
  isMapping,
  isSequence,
  isString,
} from "@actions/workflow-parser/templates/tokens/type-guards";
import { textOf } from "../errors.ts";
import { parseExpression } from "../expressions/parse-expression.ts";
import type { Template } from "../expressions/template.ts";
import { type ReadContext, readSteps } from "../workflow/read-steps.ts";
import { toTemplate } from "../workflow/to-template.ts";
import { fieldsOf, placeOf } from "../workflow/token-fields.ts";
import type { ActionRuns, DockerActionImage } from "./action-manifest.ts";

type Fields = ReadonlyMap<string, TemplateToken>;
type Kind = "node20" | "node24" | "composite" | "docker";

const KINDS: ReadonlyMap<string, Kind> = new Map([
  ["docker", "docker"],
  ["node12", "node20"],
  ["node16", "node20"],
  ["node20", "node20"],
  ["node24", "node24"],
  ["composite", "composite"],
]);

const NEEDS_MAIN = [
  "main",
  "You are using a JavaScript Action but there is not an entry JavaScript file provided",
] as const;

/** What no action of a kind is without, and how GitHub says so. */
const NEEDED: { readonly [kind in Kind]: readonly [field: string, otherwise: string] } = {
  node20: NEEDS_MAIN,
  node24: NEEDS_MAIN,
  composite: ["steps", "You are using a composite action but there are no steps provided"],
  docker: ["image", "You are using a Container Action but an image is not provided"],
};

/** What `pre-if` and `post-if` may name: as the `if` of a step. */
const STAGE_CONTEXT = [
  ...["github", "inputs", "vars", "needs", "strategy", "matrix", "steps", "job", "runner", "env"],
  ...["always(0,0)", "cancelled(0,0)", "success(0,0)", "failure(0,0)", "hashFiles(1,255)"],
];

/** Which kind of action `runs.using` says this is; `undefined` when that is among the problems. */
export function kindOfRuns(root: MappingToken, { file, problems }: ReadContext): Kind | undefined {
  const runs = fieldsOf(root).get("runs");
  if (!runs) {
    problems.add(`Top level 'runs:' section is required for ${file}`, placeOf(root));
  }
  if (!runs || !isMapping(runs)) return undefined;
  const fields = fieldsOf(runs);
  const using = fields.get("using");
  if (!using || using.toString() === "") {
    problems.add(
      "Missing 'using' value. 'using' requires 'composite', 'docker', 'node12', 'node16', 'node20' or 'node24'.",
      placeOf(using ?? runs),
    );
    return undefined;
  }
  if (!isString(using)) return undefined; // the schema says so
  const kind = KINDS.get(using.toString().toLowerCase());
  if (!kind) {
    problems.add(
      `'using: ${using.toString()}' is not supported, use 'docker', 'node12', 'node16', 'node20' or 'node24' instead.`,
      placeOf(using),
    );
    return undefined;
  }
  const [needed, otherwise] = NEEDED[kind];
  if (!fields.has(needed)) problems.add(`${otherwise} in ${file}.`, placeOf(runs));
  return kind;
}

/** Reads `runs`, whose shape the schema has checked. */
export function readRuns(
  kind: Kind,
  root: MappingToken,
  context: ReadContext,
): ActionRuns | undefined {
  const fields = fieldsOf(fieldsOf(root).get("runs"));
  switch (kind) {
    case "node20":
    case "node24":
      return {
        using: "node",
        version: kind,
        main: fields.get("main")?.toString() ?? "",
        ...texts(fields, { pre: "pre", post: "post" }),
        ...stageConditions(fields, context),
      };
    case "composite": {
      const steps = fields.get("steps");
      return {
        using: "composite",
        steps: steps && isSequence(steps) ? readSteps(Array.from(steps), context) : [],
        outputs: readOutputs(fieldsOf(root).get("outputs"), context),
      };
    }
    case "docker":
      return readDocker(fields, context);
    default:
      return kind satisfies never;
  }
}

function readDocker(fields: Fields, context: ReadContext): ActionRuns {
  const { file } = context;
  const args = fields.get("args");
  return {
    using: "docker",
    image: readImage(fields.get("image"), context),
    ...texts(fields, {
      entrypoint: "entrypoint",
      preEntrypoint: "pre-entrypoint",
      postEntrypoint: "post-entrypoint",
    }),
    ...(args && isSequence(args) && { args: Array.from(args, (arg) => toTemplate(arg, file)) }),
    env: readEnv(fields.get("env"), context),
    ...stageConditions(fields, context),
  };
}

/** (`DockerUtil.IsDockerfile` of GitHub's runner.) */
function readImage(token: TemplateToken | undefined, { problems }: ReadContext): DockerActionImage {
  const text = token?.toString() ?? "";
  const registry = /^docker:\/\/(.*)$/is.exec(text)?.[1]?.trim();
  if (registry) return { kind: "registry", image: registry };
  const name = text.slice(text.lastIndexOf("/") + 1);
  const isDockerfile = registry === undefined && /^dockerfile\.|dockerfile$/i.test(name);
  if (token && text !== "" && !isDockerfile) {
    problems.add(
      `'${text}' should be either '[path]/Dockerfile' or 'docker://image[:tag]'.`,
      placeOf(token),
    );
  }
  return { kind: "dockerfile", path: text };
}

function readEnv(
  token: TemplateToken | undefined,
  { file, problems }: ReadContext,
): { [name: string]: Template } {
  if (!token) return {};
  if (!isMapping(token)) {
    problems.add("A mapping was expected", placeOf(token));
    return {};
  }
  for (const { key } of token) {
    if (isString(key)) continue;
    problems.add("A template expression is not allowed as the name of a variable", placeOf(key));
  }
  const pairs = Array.from(fieldsOf(token), ([name, value]) => [name, toTemplate(value, file)]);
  return Object.fromEntries(pairs);
}

function readOutputs(
  token: TemplateToken | undefined,
  { file }: ReadContext,
): { [name: string]: Template } {
  const outputs = Array.from(fieldsOf(token)).flatMap(([name, output]) => {
    const value = fieldsOf(output).get("value");
    return value ? [[name, toTemplate(value, file)]] : [];
  });
  return Object.fromEntries(outputs);
}

function stageConditions(
  fields: Fields,
  context: ReadContext,
): { readonly preIf: string; readonly postIf: string } {
  return {
    preIf: readStageCondition(fields.get("pre-if"), context),
    postIf: readStageCondition(fields.get("post-if"), context),
  };
}

/** A plain expression, without the `success()` that an `if` implies. */
function readStageCondition(token: TemplateToken | undefined, { problems }: ReadContext): string {
  const text = token?.toString().trim() ?? "always()";
  try {
    const { namedContexts, functions } = splitAllowedContext(STAGE_CONTEXT);
    if (token && text !== "") parseExpression(text, namedContexts, functions);
  } catch (error) {
    problems.add(textOf(error), token && placeOf(token));
  }
  return text || "always()";
}

/** The fields that are there, under the names they have here. */
function texts<Name extends string>(
  fields: Fields,
  names: { readonly [name in Name]: string },
): { [name in Name]?: string } {
  const found: { [name in Name]?: string } = {};
  for (const name of Object.keys(names) as Name[]) {
    const text = fields.get(names[name])?.toString();
    if (text) found[name] = text;
  }
  return found;
}
