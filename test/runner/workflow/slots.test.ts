import { describe, expect, it } from "@jest/globals";
import { checkWorkflow } from "../../../runner/workflow/read-workflow.ts";

const ALL = [
  "github",
  "inputs",
  "vars",
  "needs",
  "strategy",
  "matrix",
  "secrets",
  "steps",
  "job",
  "runner",
  "env",
  "jobs",
];
const RUN = ["github", "inputs", "vars"];
const JOB = [...RUN, "needs"];
const LEG = [...JOB, "strategy", "matrix"];
const RUNNER = [...LEG, "secrets", "steps", "job", "runner", "env"];
const STEPS = "steps: [{ run: x }]";

/** A workflow with an expression in one slot. */
const inRoot = (slot: (e: string) => string) => (e: string) =>
  `on: push\n${slot(e)}\njobs: { a: { runs-on: x, ${STEPS} } }`;
const inJob = (slot: (e: string) => string) => (e: string) =>
  `on: push\njobs: { a: { ${slot(e).startsWith("runs-on") ? "" : "runs-on: x, "}${STEPS}, ${slot(e)} } }`;
const inStep = (slot: (e: string) => string) => (e: string) =>
  `on: push\njobs: { a: { runs-on: x, steps: [{ ${slot(e)} }] } }`;
const inCall = (slot: (e: string) => string) => (e: string) =>
  `on: push\njobs: { a: { uses: ./.github/workflows/x.yml, ${slot(e)} } }`;
const inWorkflowCall = (slot: (e: string) => string) => (e: string) =>
  `on: { workflow_call: { ${slot(e)} } }\njobs: { a: { runs-on: x, ${STEPS} } }`;

function accepts(text: string): boolean {
  return checkWorkflow({ file: "ci.yml", text }).workflow !== undefined;
}

describe("the contexts of", () => {
  it.each<[string, (expression: string) => string, string[]]>([
    ["run-name", inRoot((e) => `run-name: ${e}`), RUN],
    ["the workflow's concurrency", inRoot((e) => `concurrency: ${e}`), RUN],
    ["the workflow's env", inRoot((e) => `env: { A: ${e} }`), [...RUN, "secrets"]],
    [
      "the workflow's defaults",
      inRoot((e) => `defaults: { run: { working-directory: ${e} } }`),
      [],
    ],
    ["the workflow's name", inRoot((e) => `name: ${e}`), []],
    [
      "a default of workflow_call",
      inWorkflowCall((e) => `inputs: { i: { type: string, default: ${e} } }`),
      RUN,
    ],
    [
      "an output of workflow_call",
      inWorkflowCall((e) => `outputs: { o: { value: ${e} } }`),
      [...RUN, "jobs"],
    ],
    ["a job's if", inJob((e) => `if: ${e}`), JOB],
    ["strategy", inJob((e) => `strategy: { matrix: { v: [${e}] } }`), JOB],
    ["with of a called workflow", inCall((e) => `with: { i: ${e} }`), LEG],
    ["secrets of a called workflow", inCall((e) => `secrets: { s: ${e} }`), [...LEG, "secrets"]],
    ["runs-on", inJob((e) => `runs-on: ${e}`), LEG],
    ["container", inJob((e) => `container: ${e}`), LEG],
    ["services", inJob((e) => `services: { s: { image: ${e} } }`), LEG],
    ["a job's name", inJob((e) => `name: ${e}`), LEG],
    ["a job's timeout-minutes", inJob((e) => `timeout-minutes: ${e}`), LEG],
    ["a job's continue-on-error", inJob((e) => `continue-on-error: ${e}`), LEG],
    ["a job's concurrency", inJob((e) => `concurrency: { group: ${e} }`), LEG],
    ["environment", inJob((e) => `environment: ${e}`), LEG],
    [
      "environment.url",
      inJob((e) => `environment: { name: x, url: ${e} }`),
      RUNNER.filter((name) => name !== "secrets"),
    ],
    ["a job's env", inJob((e) => `env: { A: ${e} }`), [...LEG, "secrets"]],
    [
      "a job's defaults",
      inJob((e) => `defaults: { run: { working-directory: ${e} } }`),
      [...LEG, "env"],
    ],
    [
      "container.credentials",
      inJob((e) => `container: { image: x, credentials: { username: u, password: ${e} } }`),
      [...LEG, "secrets", "env"],
    ],
    ["container.env", inJob((e) => `container: { image: x, env: { A: ${e} } }`), RUNNER],
    ["a job's outputs", inJob((e) => `outputs: { o: ${e} }`), RUNNER],
    ["a step's if", inStep((e) => `run: x, if: ${e}`), RUNNER.filter((name) => name !== "secrets")],
    ["a step's name", inStep((e) => `run: x, name: ${e}`), RUNNER],
    ["run", inStep((e) => `run: ${e}`), RUNNER],
    ["with", inStep((e) => `uses: a/b@c, with: { i: ${e} }`), RUNNER],
    ["a step's env", inStep((e) => `run: x, env: { A: ${e} }`), RUNNER],
    ["working-directory", inStep((e) => `run: x, working-directory: ${e}`), RUNNER],
    ["a step's continue-on-error", inStep((e) => `run: x, continue-on-error: ${e}`), RUNNER],
    ["a step's timeout-minutes", inStep((e) => `run: x, timeout-minutes: ${e}`), RUNNER],
    ["a step's shell", inStep((e) => `run: x, shell: ${e}`), []],
    ["uses", inStep((e) => `uses: ${e}`), []],
    ["needs", inJob((e) => `needs: ${e}`), []],
    ["permissions", inJob((e) => `permissions: { contents: ${e} }`), []],
  ])("%s", (_slot, workflow, contexts) => {
    const available = ALL.filter((name) => accepts(workflow(`"\${{ ${name}.x }}"`)));

    expect(available).toEqual(ALL.filter((name) => contexts.includes(name)));
  });

  it.each<[string, (expression: string) => string, boolean, boolean]>([
    ["a job's if", inJob((e) => `if: ${e}`), true, false],
    ["a step's if", inStep((e) => `run: x, if: ${e}`), true, true],
    ["run", inStep((e) => `run: ${e}`), false, true],
    ["with", inStep((e) => `uses: a/b@c, with: { i: ${e} }`), false, true],
    ["a job's outputs", inJob((e) => `outputs: { o: ${e} }`), false, false],
    ["a job's env", inJob((e) => `env: { A: ${e} }`), false, false],
  ])(
    "%s: which of the status functions and hashFiles there are",
    (_slot, workflow, status, hash) => {
      expect(accepts(workflow('"${{ always() || success() || failure() || cancelled() }}"'))).toBe(
        status,
      );
      expect(accepts(workflow(`"\${{ hashFiles('a') }}"`))).toBe(hash);
    },
  );
});
