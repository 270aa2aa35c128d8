import { configSchema, type SchemaNode } from "./json-schema.ts";

/** The tables of `docs/configuration.md`: every key with its type, default and meaning, one table a section. */
export function configReference(): string {
  const root = configSchema();
  const sections = Object.entries(root.properties ?? {}).filter(([, node]) => hasKeys(node));
  return [
    "### At the top",
    "",
    ...table(Object.entries(root.properties ?? {}).map(([key, node]) => row(key, node, root))),
    ...sections.flatMap(([key, node]) => [
      "",
      `### ${key}`,
      "",
      ...table(rowsBelow(node, key === "profiles" ? "NAME." : "")),
    ]),
    "",
  ].join("\n");
}

type Row = readonly [key: string, type: string, byDefault: string, meaning: string];

function table(rows: readonly Row[]): string[] {
  const lines = rows.map(
    (cells) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`,
  );
  return ["| key | type | default | meaning |", "| --- | --- | --- | --- |", ...lines];
}

function rowsBelow(node: SchemaNode, prefix: string): Row[] {
  const holder = node.items ?? (node.additionalProperties || undefined) ?? node;
  return Object.entries(holder.properties ?? {}).flatMap(([key, child]) => {
    const name = `${prefix}${key}`;
    const inner = child.items?.properties === undefined ? `${name}.` : `${name}[].`;
    return [row(name, child, holder), ...(hasKeys(child) ? rowsBelow(child, inner) : [])];
  });
}

function row(name: string, node: SchemaNode, holder: SchemaNode): Row {
  const key = name.split(".").at(-1) ?? name;
  const isRequired = holder.required?.includes(key) ?? false;
  return [
    `\`${name}\``,
    typeName(node),
    isRequired ? "required" : defaultName(node),
    node.description ?? "",
  ];
}

function hasKeys(node: SchemaNode): boolean {
  const inner = node.items ?? (node.additionalProperties || undefined) ?? node;
  return inner.properties !== undefined;
}

function typeName(node: SchemaNode): string {
  if (node.enum) return node.enum.map((value) => `\`${String(value)}\``).join(", ");
  if (node.const !== undefined) return `\`${String(node.const)}\``;
  if (node.anyOf) return [...new Set(node.anyOf.map(typeName))].join(" or ");
  const type = [node.type].flat()[0];
  switch (type) {
    case "array":
      return `list of ${node.items === undefined ? "anything" : plural(typeName(node.items))}`;
    case "object":
      return node.properties === undefined ? "mapping" : "section";
    case "integer":
      return "whole number";
    case "string":
      return "text";
    case "boolean":
      return "true or false";
    default:
      return type ?? "anything";
  }
}

function plural(type: string): string {
  return type === "text" ? "texts" : type === "section" ? "sections" : type;
}

function defaultName(node: SchemaNode): string {
  const { default: value } = node;
  if (value === undefined || value === "") return "";
  const text = JSON.stringify(value);
  return ["{}", "[]"].includes(text) ? "" : `\`${typeof value === "string" ? value : text}\``;
}
