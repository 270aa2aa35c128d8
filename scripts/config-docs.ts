/**
 * Writes what the documentation has of the configuration's schema: `docs/berth.schema.json` and the tables of
 * `docs/configuration.md`. A test fails when they are out of step.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { configSchema } from "../src/config/json-schema.ts";
import { configReference } from "../src/config/reference.ts";

const docs = join(import.meta.dirname, "../docs");
const page = join(docs, "configuration.md");

writeFileSync(join(docs, "berth.schema.json"), `${JSON.stringify(configSchema(), null, 2)}\n`);
const [before = ""] = readFileSync(page, "utf8").split("<!-- from the schema -->");
writeFileSync(page, `${before}<!-- from the schema -->\n\n${configReference()}`);
