import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "@jest/globals";
import { configSchema, type SchemaNode } from "../../../src/config/json-schema.ts";
import { configReference } from "../../../src/config/reference.ts";
import { configFolder } from "./config-folder.ts";

const docs = join(import.meta.dirname, "../../../docs");
const page = readFileSync(join(docs, "configuration.md"), "utf8");
const examples = [...page.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, text = ""]) => text);

it("keeps docs/berth.schema.json in step; `node scripts/config-docs.ts` writes it", () => {
  const written: unknown = JSON.parse(readFileSync(join(docs, "berth.schema.json"), "utf8"));

  expect(written).toEqual(configSchema());
});

it("keeps the tables of docs/configuration.md in step; `node scripts/config-docs.ts` writes them", () => {
  expect(page.split("<!-- from the schema -->\n\n")[1]).toBe(configReference());
});

it("describes every key", () => {
  expect(undescribed(configSchema(), "")).toEqual([]);
});

it.each(examples.map((text, index) => [index + 1, text]))(
  "has a valid example %i in docs/configuration.md",
  (_, text) => {
    using folder = configFolder(String(text));
    const key = readFileSync(join(folder.root, "key.pem"), "utf8");
    folder.write("berth.private-key.pem", key);
    folder.write("webhook-secret", "s");

    const env = { WEBHOOK_SECRET: "a", OLD_WEBHOOK_SECRET: "b", HTTPS_PROXY: "http://proxy:3128" };

    expect(folder.read(env)).toHaveProperty("config");
  },
);

function undescribed(node: SchemaNode, name: string): string[] {
  const { properties = {}, items, additionalProperties, anyOf = [] } = node;
  return [
    ...Object.entries(properties).flatMap(([key, child]) => [
      ...(child.description ? [] : [`${name}.${key}`]),
      ...undescribed(child, `${name}.${key}`),
    ]),
    ...[items, additionalProperties || undefined, ...anyOf].flatMap((child) =>
      child === undefined ? [] : undescribed(child, `${name}[]`),
    ),
  ];
}
