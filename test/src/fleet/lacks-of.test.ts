import { expect, it } from "@jest/globals";
import { readWorkflow } from "../../../runner/workflow/read-workflow.ts";
import { lacksOf } from "../../../src/fleet/lacks-of.ts";

const workflow = readWorkflow({
  file: ".github/workflows/ci.yml",
  text: `on: push
jobs:
  a:
    runs-on: berth
    permissions: { id-token: write }
    steps:
      - run: echo \${{ secrets.HELD }} \${{ secrets.MISSING }} \${{ secrets.GITHUB_TOKEN }}
  b: { runs-on: berth, steps: [{ run: "echo \${{ secrets.OTHER }}" }] }
`,
});

it("names each secret that a job uses and Berth does not hold, and identity tokens, at their places", () => {
  const lacks = lacksOf(workflow, { job: "a" }, new Set(["HELD"]));

  expect(lacks).toEqual([
    {
      ...{ level: "warning", file: ".github/workflows/ci.yml", startLine: 7 },
      message: expect.stringContaining('"berth secret set MISSING"'),
    },
    {
      ...{ level: "warning", file: ".github/workflows/ci.yml", startLine: 3 },
      message: expect.stringContaining("id-token: write"),
    },
  ]);
});

it("says nothing of other jobs", () => {
  expect(lacksOf(workflow, { job: "b" }, new Set(["OTHER"]))).toEqual([]);
});
