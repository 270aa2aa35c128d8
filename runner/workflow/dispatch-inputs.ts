import { BerthError } from "../errors.ts";
import { toText } from "../expressions/evaluate.ts";
import type { DispatchInput, Workflow } from "./workflow.ts";

const MAX_CHARACTERS = 65_535;

/** The inputs of a manual start. `event` is `github.event.inputs`, strings only; `inputs` has real booleans. */
export type DispatchInputs = {
  readonly event: { readonly [name: string]: string };
  readonly inputs: { readonly [name: string]: string | boolean };
};

/**
 * What was given, completed by defaults and checked as GitHub's dispatch API does.
 *
 * @throws {BerthError} `INPUT_INVALID` with everything that is wrong.
 */
export function resolveDispatchInputs(
  workflow: Workflow,
  given: { readonly [name: string]: string },
): DispatchInputs {
  const byName = new Map(Object.entries(given).map(([name, value]) => [name.toLowerCase(), value]));
  const declared = new Set(workflow.dispatchInputs.map((input) => input.name.toLowerCase()));
  const wrong = Object.keys(given)
    .filter((name) => !declared.has(name.toLowerCase()))
    .map((name) => `The workflow has no input '${name}'.`);
  if (JSON.stringify(given).length > MAX_CHARACTERS) {
    wrong.push(`The inputs are longer than ${MAX_CHARACTERS} characters.`);
  }

  const texts = workflow.dispatchInputs.map((input) => {
    const text = byName.get(input.name.toLowerCase());
    const problem = explainBadInput(input, text);
    if (problem) wrong.push(problem);
    return [input.name, text ?? textOfDefault(input)] as const;
  });
  if (wrong.length > 0) throw inputsInvalid(workflow, wrong);

  const types = new Map(workflow.dispatchInputs.map((input) => [input.name, input.type]));
  return {
    event: Object.fromEntries(texts),
    inputs: Object.fromEntries(
      texts.map(([name, text]) => [name, types.get(name) === "boolean" ? text === "true" : text]),
    ),
  };
}

function explainBadInput(input: DispatchInput, text: string | undefined): string | undefined {
  const { name, type } = input;
  if (text === undefined || (text === "" && input.required)) {
    const isMissing = input.required && input.default === undefined;
    return isMissing ? `Input '${name}' is required, but not provided.` : undefined;
  }
  if (type === "boolean" && text !== "true" && text !== "false") {
    return `Input '${name}' must be true or false, not '${text}'.`;
  }
  if (type === "number" && (text.trim() === "" || Number.isNaN(Number(text)))) {
    return `Input '${name}' must be a number, not '${text}'.`;
  }
  if (type === "choice" && !input.options.includes(text)) {
    return `Input '${name}' must be one of ${input.options.join(", ")}, not '${text}'.`;
  }
  return undefined;
}

function textOfDefault(input: DispatchInput): string {
  if (input.default !== undefined) return toText(input.default);
  return input.type === "boolean" ? "false" : "";
}

function inputsInvalid(workflow: Workflow, wrong: readonly string[]): BerthError {
  const names = workflow.dispatchInputs.map(
    ({ name, type, required }) => `${name} (${type}${required ? ", required" : ""})`,
  );
  return new BerthError("INPUT_INVALID", {
    message: `${workflow.file}: ${wrong.join(" ")}`,
    remedy: names.length > 0 ? `Its inputs: ${names.join(", ")}.` : "It takes no inputs.",
  });
}
