import { evaluateTemplate, toText } from "../expressions/evaluate.ts";
import type { Json } from "../expressions/template.ts";
import type { Workflow } from "./workflow.ts";

/** `run-name`, evaluated; `undefined` when the workflow has none or it comes out empty. */
export async function nameRun(
  workflow: Workflow,
  contexts: { readonly github: Json; readonly vars: Json; readonly inputs: Json },
): Promise<string | undefined> {
  const name = toText(await evaluateTemplate(workflow.runName ?? null, { contexts }));
  return name.trim() === "" ? undefined : name;
}
