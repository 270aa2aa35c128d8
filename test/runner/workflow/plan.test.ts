import { describe, expect, it } from "@jest/globals";
import { findUnsupported, notSupportedYet } from "../../../runner/workflow/find-unsupported.ts";
import { listPlan } from "../../../runner/workflow/plan.ts";
import { readWorkflow } from "../../../runner/workflow/read-workflow.ts";
import { nameRun } from "../../../runner/workflow/run-name.ts";

const RUN = "runs-on: x, steps: [{ run: echo }]";
const CONTEXTS = { github: { actor: "me" }, vars: { V: "v" }, inputs: null };

function read(text: string) {
  return readWorkflow({ file: "ci.yml", text });
}

describe("a plan", () => {
  it("lists jobs by stage, with names, needs and legs as far as they are known", async () => {
    const workflow = read(`
on: push
jobs:
  d: { needs: [b, a], ${RUN} }
  b: { needs: a, strategy: { matrix: { v: [1, "\${{ vars.V }}"] } }, ${RUN} }
  c: { needs: a, name: "C \${{ matrix.m }}", strategy: { matrix: "\${{ fromJSON(needs.a.outputs.m) }}" }, ${RUN} }
  a: { name: First, ${RUN} }
`);

    expect(await listPlan(workflow, CONTEXTS)).toEqual([
      { id: "a", name: "First", needs: [], stage: 0, legs: [{}] },
      { id: "b", name: "b", needs: ["a"], stage: 1, legs: [{ v: 1 }, { v: "v" }] },
      { id: "c", name: "C ${{ matrix.m }}", needs: ["a"], stage: 1, legs: [] },
      { id: "d", name: "d", needs: ["b", "a"], stage: 2, legs: [{}] },
    ]);
    expect((await listPlan(workflow, CONTEXTS, ["b"])).map(({ id }) => id)).toEqual(["a", "b"]);
  });
});

describe("what cannot run yet", () => {
  it("is found with its place, before anything starts", () => {
    const workflow = read(`on: push
jobs:
  call: { uses: ./.github/workflows/x.yml }
  a:
    runs-on: x
    services: { db: { image: postgres } }
    steps:
      - run: echo
      - uses: actions/checkout@v4
  fine: { ${RUN} }
`);

    const error = notSupportedYet(findUnsupported(workflow));

    expect(error.code).toBe("NOT_SUPPORTED_YET");
    expect(error.message).toBe(
      "ci.yml:3:17: Job 'call' calls the workflow ./.github/workflows/x.yml; reusable workflows are not supported yet.",
    );
    expect(findUnsupported(workflow, workflow.jobs.slice(1))).toEqual([]);
  });
});

describe("a run's name", () => {
  it("is run-name with its expressions evaluated, if it says anything", async () => {
    expect(
      await nameRun(
        read(`run-name: By \${{ github.actor }}\non: push\njobs: { a: { ${RUN} } }`),
        CONTEXTS,
      ),
    ).toBe("By me");
    expect(
      await nameRun(
        read(`run-name: "\${{ vars.NONE }}"\non: push\njobs: { a: { ${RUN} } }`),
        CONTEXTS,
      ),
    ).toBeUndefined();
    expect(await nameRun(read(`on: push\njobs: { a: { ${RUN} } }`), CONTEXTS)).toBeUndefined();
  });
});
