import { NoOperationTraceWriter } from "@actions/workflow-parser";
import { MappingDefinition } from "@actions/workflow-parser/templates/schema/mapping-definition";
import type { TemplateSchema } from "@actions/workflow-parser/templates/schema/template-schema";
import {
  TemplateContext,
  TemplateValidationErrors,
} from "@actions/workflow-parser/templates/template-context";
import { readTemplate } from "@actions/workflow-parser/templates/template-reader";
import type { TemplateToken } from "@actions/workflow-parser/templates/tokens/template-token";
import { locateExpression } from "./locate-expression.ts";
import type { Problems } from "./problems.ts";
import { readYaml } from "./yaml-reader.ts";

export const MAX_FILE_BYTES = 1024 * 1024;

/** What the schema says against a file; `at` is where. */
export type Finding = {
  readonly message: string;
  readonly at: { readonly line: number; readonly column: number } | undefined;
};

/**
 * Reads a file by one of GitHub's schemas.
 *
 * @returns `undefined` when the file is no YAML that GitHub accepts; `problems` then says why.
 */
export function readTokens(
  { file, text }: { readonly file: string; readonly text: string },
  { schema, root }: { readonly schema: TemplateSchema; readonly root: string },
  problems: Problems,
): { readonly root: TemplateToken | undefined; readonly findings: readonly Finding[] } | undefined {
  if (Buffer.byteLength(text) > MAX_FILE_BYTES) {
    problems.add("The file is larger than 1 MiB", undefined);
    return undefined;
  }
  const errors = new TemplateValidationErrors();
  const context = new TemplateContext(
    errors,
    withoutInherited(schema),
    new NoOperationTraceWriter(),
  );
  const fileId = context.getFileId(file);
  const yaml = readYaml(text, fileId, problems);
  if (!yaml) return undefined;
  const token = readTemplate(context, root, yaml, fileId);
  const findings = errors.getErrors().map(({ rawMessage, range }) => ({
    message: rawMessage,
    at: range && locateExpression(range.start, yaml.blocks, text),
  }));
  return { root: token, findings };
}

/** The library looks keys up in plain objects, where it finds `constructor` too. */
function withoutInherited(schema: TemplateSchema): TemplateSchema {
  for (const definition of Object.values(schema.definitions)) {
    if (!(definition instanceof MappingDefinition)) continue;
    if (Object.getPrototypeOf(definition.properties) === null) break; // has been here before
    Object.setPrototypeOf(definition.properties, null);
  }
  return schema;
}
