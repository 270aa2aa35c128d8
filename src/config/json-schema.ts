import { z } from "zod";
import { Config } from "./config.ts";
import { ContainerTemplate, ProfileContainer } from "./container-template.ts";
import type { Path } from "./placeholders.ts";

/** The part of JSON Schema that describes `berth.yml`. */
export type SchemaNode = {
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly properties?: { readonly [key: string]: SchemaNode };
  readonly required?: readonly string[];
  readonly additionalProperties?: SchemaNode | false;
  readonly items?: SchemaNode;
  readonly anyOf?: readonly SchemaNode[];
};

/** JSON Schema of `berth.yml`, for editors: `docs/berth.schema.json`. Wherever something is checked, `${NAME}` may stand instead. */
export function configSchema(): SchemaNode {
  const { $schema, ...schema } = toSchema(Config) as SchemaNode & { $schema: string };
  return { $schema, title: "Berth's configuration, berth.yml", ...schema } as SchemaNode;
}

/** The node for the value at `path`. */
export function schemaAt(root: SchemaNode, path: Path): SchemaNode | undefined {
  const [step, ...rest] = path;
  if (step === undefined) return root;
  const next =
    root.properties?.[String(step)] ??
    (typeof step === "number" ? root.items : undefined) ??
    (root.additionalProperties || undefined);
  if (next !== undefined) return schemaAt(next, rest);
  for (const variant of root.anyOf ?? []) {
    const found = schemaAt(variant, path);
    if (found !== undefined) return found;
  }
  return undefined;
}

function toSchema(schema: z.ZodType): unknown {
  return z.toJSONSchema(schema, {
    io: "input",
    unrepresentable: "any",
    override({ zodSchema, jsonSchema }) {
      if (zodSchema === ContainerTemplate) {
        const { $schema, ...own } = toSchema(ProfileContainer) as Record<string, unknown>;
        Object.assign(jsonSchema, { ...own, description: jsonSchema.description });
      } else admitVariables(jsonSchema);
    },
  });
}

/** `${NAME}` is a text before it is filled in, whatever comes of it. */
function admitVariables(schema: z.core.JSONSchema.BaseSchema): void {
  if (schema.pattern !== undefined) schema.pattern = `(?:${schema.pattern})|\\$\\{`;
  if (schema.format === "uri") delete schema.format;
  if (schema.type !== "integer" && schema.type !== "number") return;
  if (schema.minimum === Number.MIN_SAFE_INTEGER) delete schema.minimum;
  if (schema.maximum === Number.MAX_SAFE_INTEGER) delete schema.maximum;
  if (schema.const !== undefined) return;
  schema.type = [schema.type, "string"] as never;
  schema.pattern = "\\$\\{";
}
