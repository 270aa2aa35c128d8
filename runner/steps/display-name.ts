import { evaluateTemplate, type Scope, toText } from "../expressions/evaluate.ts";
import type { Template } from "../expressions/template.ts";
import type { StepDescription } from "../job/job-description.ts";
import { isEndOfJob } from "../job/job-end.ts";

/** What a step is called: its `name`, else `Run …`. Only one line is shown; what cannot be evaluated never fails the step. */
export async function displayName(step: StepDescription, scope: Scope): Promise<string> {
  const name = step.name === undefined ? "" : firstLine(await textOrSource(step.name, scope));
  if (name !== "") return name;
  return `Run ${firstLine(await defaultName(step, scope))}`;
}

async function defaultName(step: StepDescription, scope: Scope): Promise<string> {
  if (step.kind === "run") return await textOrSource(step.run, scope);
  return step.uses.replace(/^docker:\/\//, "");
}

async function textOrSource(template: Template, scope: Scope): Promise<string> {
  try {
    return toText(await evaluateTemplate(template, scope));
  } catch (error) {
    if (isEndOfJob(error)) throw error;
    const isExpression = template !== null && typeof template === "object" && "expr" in template;
    return isExpression ? `\${{ ${template.expr} }}` : "";
  }
}

function firstLine(text: string): string {
  const [line = ""] = text.trimStart().split(/\r?\n/, 1);
  return line.trimEnd();
}
