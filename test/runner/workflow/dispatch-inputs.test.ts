import { describe, expect, it } from "@jest/globals";
import { resolveDispatchInputs } from "../../../runner/workflow/dispatch-inputs.ts";
import { checkWorkflow, readWorkflow } from "../../../runner/workflow/read-workflow.ts";
import { explainBadVariable } from "../../../runner/workflow/variable-names.ts";

function workflow(inputs: string) {
  return `on: { workflow_dispatch: { inputs: { ${inputs} } } }\njobs: { a: { runs-on: x, steps: [{ run: x }] } }`;
}

function resolve(inputs: string, given: { [name: string]: string }) {
  return resolveDispatchInputs(readWorkflow({ file: "ci.yml", text: workflow(inputs) }), given);
}

describe("inputs of a manual start", () => {
  it("are strings in the event and have real booleans in the context", () => {
    const inputs =
      "s: { type: string }, b: { type: boolean }, n: { type: number }, c: { type: choice, options: [x, y] }, e: { type: environment }, plain: {}";

    expect(
      resolve(inputs, { s: "1", B: "true", n: "1.10", c: "y", e: "prod", plain: "p" }),
    ).toEqual({
      event: { s: "1", b: "true", n: "1.10", c: "y", e: "prod", plain: "p" },
      inputs: { s: "1", b: true, n: "1.10", c: "y", e: "prod", plain: "p" },
    });
  });

  it("take their defaults, else are empty", () => {
    const inputs =
      "s: { default: d }, n: { type: number, default: 1.50 }, b: { type: boolean, default: true }, none: {}, off: { type: boolean }, r: { required: true, default: x }";

    expect(resolve(inputs, {})).toEqual({
      event: { s: "d", n: "1.5", b: "true", none: "", off: "false", r: "x" },
      inputs: { s: "d", n: "1.5", b: true, none: "", off: false, r: "x" },
    });
  });

  it.each<[string, string, { [name: string]: string }, string]>([
    ["an unknown name", "a: {}", { b: "1" }, "The workflow has no input 'b'."],
    ["a missing one", "a: { required: true }", {}, "Input 'a' is required, but not provided."],
    [
      "an empty required one",
      "a: { required: true }",
      { a: "" },
      "Input 'a' is required, but not provided.",
    ],
    [
      "no boolean",
      "a: { type: boolean }",
      { a: "yes" },
      "Input 'a' must be true or false, not 'yes'.",
    ],
    ["no number", "a: { type: number }", { a: "x" }, "Input 'a' must be a number, not 'x'."],
    [
      "no choice",
      "a: { type: choice, options: [x, y] }",
      { a: "z" },
      "Input 'a' must be one of x, y, not 'z'.",
    ],
    [
      "too much",
      "a: {}",
      { a: "x".repeat(65_536) },
      "The inputs are longer than 65535 characters.",
    ],
    ["several things", "a: { required: true }", { b: "1" }, "no input 'b'. Input 'a' is required"],
  ])("are refused for %s", (_title, inputs, given, message) => {
    expect(() => resolve(inputs, given)).toThrow(
      expect.objectContaining({ code: "INPUT_INVALID", message: expect.stringContaining(message) }),
    );
  });

  it.each([
    ["a choice without options", "a: { type: choice }", "Input 'a' is a choice without 'options'"],
    [
      "options without a choice",
      "a: { options: [x] }",
      "Input 'a' has 'options' but is not of type 'choice'",
    ],
    [
      "a default that is no option",
      "a: { type: choice, options: [x], default: y }",
      "The default of input 'a' must be one of its options: x",
    ],
    [
      "a default that is no boolean",
      "a: { type: boolean, default: 'x' }",
      "The default of input 'a' must be true or false",
    ],
    [
      "a default that is no number",
      "a: { type: number, default: 'x' }",
      "The default of input 'a' must be a number",
    ],
    ["an unknown type", "a: { type: date }", "Unexpected value 'date'"],
    [
      "26 of them",
      [...Array(26).keys()].map((i) => `i${i}: {}`).join(", "),
      "workflow_dispatch takes at most 25 inputs, 26 are defined",
    ],
  ])("cannot be declared with %s", (_title, inputs, message) => {
    const { problems } = checkWorkflow({ file: "ci.yml", text: workflow(inputs) });

    expect(problems.map((problem) => problem.message)).toEqual([expect.stringContaining(message)]);
  });
});

describe("the name of a secret or variable", () => {
  it.each([
    ["secret", "A_1", "x", undefined],
    ["secret", "GITHUB_TOKEN", "x", undefined],
    ["variable", "_a", "x", undefined],
    ["variable", "GITHUB_TOKEN", "x", "names starting with GITHUB_ are reserved"],
    ["secret", "github_x", "x", "names starting with GITHUB_ are reserved"],
    ["secret", "1A", "x", "not starting with a digit"],
    ["secret", "A-B", "x", "letters, digits and '_' only"],
    ["secret", "", "x", "is invalid"],
    ["secret", "A", "x".repeat(48 * 1024 + 1), "larger than 48 KB"],
  ] as const)("%s %s", (kind, name, value, wrong) => {
    const explained = explainBadVariable(kind, name, value);

    if (wrong === undefined) expect(explained).toBeUndefined();
    else expect(explained).toContain(wrong);
  });
});
