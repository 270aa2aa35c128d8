import { Readable } from "node:stream";
import { expect, it } from "@jest/globals";
import type { WorkingTree } from "../../../runner/job/working-tree.ts";
import { aJob, ex, mapping, run, type StepFixture } from "../job/job-fixture.ts";
import { actionsFixture, type Repositories, uses } from "./actions-fixture.ts";

const repositories: Repositories = {
  "actions/checkout": {
    "action.yml": "inputs: { repository: {} }\nruns: { using: node24, main: m.js, post: m.js }",
    "m.js": "console.log('the real one', process.env.INPUT_REPOSITORY)",
  },
};

/** A working tree without files. */
const workingTree: WorkingTree = {
  repository: "octo/hello",
  standsFor: () => false,
  pack: async () => ({
    tar: Readable.from([Buffer.alloc(1024)]),
    commit: "",
    ref: "",
    isRepository: false,
    files: 0,
    changes: 0,
    emptySubmodules: [],
  }),
};

async function runWith(steps: readonly StepFixture[], known: Repositories = repositories) {
  await using fixture = await actionsFixture(known);
  const ran = await run(aJob(steps), { actions: fixture.actions, workingTree });
  const names = ran.events.flatMap((event) =>
    event.type === "step_finished" ? [event.stepName] : [],
  );
  return { ...ran, names, fetched: fixture.fetched };
}

it("fetches nothing for a checkout that is surely of the working tree, and cleans nothing up after it", async () => {
  const { fetched, names, result } = await runWith([
    uses("actions/checkout@v4"),
    uses("actions/checkout@v4", { id: "again", with: mapping({ "fetch-depth": 0 }) }),
  ]);

  expect(fetched).toEqual([]);
  expect(names.slice(1, -1)).toEqual(["Run actions/checkout@v4", "Run actions/checkout@v4"]);
  expect(result.conclusion).toBe("success");
});

it("needs no archive for a checkout that turns out to be the working tree's", async () => {
  const step = uses("actions/checkout@v4", { with: mapping({ ref: ex("github.sha") }) });
  const { fetched, result } = await runWith([step], {});

  expect(fetched).toEqual(["actions/checkout@v4"]);
  expect(result.conclusion).toBe("success");
});

it("takes the real action for another repository, with its post", async () => {
  const step = uses("actions/checkout@v4", { with: mapping({ repository: "octo/other" }) });
  const { log, names } = await runWith([step]);

  expect(log).toContain("the real one octo/other");
  expect(names).toContain("Post Run actions/checkout@v4");
});

it("says what could not be fetched only when it is needed", async () => {
  const other = mapping({ repository: ex("format('octo/{0}', 'other')") });
  const { annotations, steps } = await runWith(
    [uses("actions/checkout@v4", { with: other }), { if: "always()", run: "true" }],
    {},
  );

  expect(annotations).toEqual([expect.stringContaining("actions/checkout@v4")]);
  expect(steps).toEqual(["failure/failure", "success/success"]);
});
