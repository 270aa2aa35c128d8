import { describe, expect, it } from "@jest/globals";
import { aJob, ex, mapping, type Ran, run, type StepFixture } from "../job/job-fixture.ts";
import { actionsFixture, type Repositories, uses, writeFiles } from "./actions-fixture.ts";

/** Says who it is, what it knows from before, and saves what it is. */
const TELL = (stage: string) => `
const fs = require("node:fs");
const kept = Object.keys(process.env).filter((name) => name.startsWith("STATE_")).sort();
const state = kept.map((name) => name.slice(6) + "=" + process.env[name]).join(",");
console.log([process.env.INPUT_NAME, "${stage}", state].join(" ").trim());
fs.appendFileSync(process.env.GITHUB_STATE, "${stage}=" + process.env.INPUT_NAME + "\\n");
console.log("::save-state name=my-${stage}::old");
fs.appendFileSync(process.env.GITHUB_OUTPUT, "${stage}=1\\n");
if ((process.env.INPUT_FAIL || "").split(",").includes("${stage}")) process.exit(1);`;

const staged = (more = "") => ({
  "action.yml": `
inputs: { name: { default: it }, fail: {} }
runs: { using: node20, pre: pre.js, main: main.js, post: post.js${more} }`,
  "pre.js": TELL("pre"),
  "main.js": TELL("main"),
  "post.js": TELL("post"),
});

const repositories: Repositories = {
  "octo/all": staged(),
  "octo/conditions": staged(`, pre-if: "runner.os == 'Windows'", post-if: failure()`),
  "octo/post": {
    ...staged(),
    "action.yml":
      "inputs: { name: {}, fail: {} }\nruns: { using: node20, main: main.js, post: post.js }",
  },
  "octo/plain": { "action.yml": "runs: { using: node20, main: m.js }", "m.js": "" },
  "octo/nest": {
    "action.yml": `
inputs: { name: { default: nested } }
runs:
  using: composite
  steps:
    - { uses: octo/post@v1, with: { name: "\${{ inputs.name }}-1" } }
    - { uses: octo/all@v1, with: { name: "\${{ inputs.name }}-2" } }
    - { uses: octo/post@v1, with: { name: never }, if: "false" }
    - uses: octo/deeper@v1`,
  },
  "octo/deeper": {
    "action.yml":
      "runs: { using: composite, steps: [{ uses: octo/post@v1, with: { name: deep } }] }",
  },
};

async function runWith(steps: readonly StepFixture[]) {
  await using fixture = await actionsFixture(repositories);
  return await run(aJob(steps), { actions: fixture.actions });
}

/** Names of the steps with their conclusions, set-up and completion left out. */
function stepsOf({ events }: Ran): string[] {
  return events
    .flatMap((event) =>
      event.type === "step_finished" ? [`${event.stepName}: ${event.conclusion}`] : [],
    )
    .slice(1, -1);
}

/** What the steps printed, without headers and warnings. */
function printed({ events }: Ran): string[] {
  let isHeader = false;
  return events
    .flatMap((event) => (event.type === "log" && event.step > 1 ? [event.line] : []))
    .filter((line) => {
      if (line.startsWith("##[group]")) isHeader = true;
      const isShown = !isHeader && !line.startsWith("##[") && !line.startsWith("Cleaning");
      if (line === "##[endgroup]") isHeader = false;
      return isShown;
    });
}

describe("the stages of an action", () => {
  it("go before all steps and, backwards, after them, and remember what was saved", async () => {
    const ran = await runWith([
      uses("octo/all@v1", { id: "a", with: mapping({ name: "a" }) }),
      uses("octo/post@v1", { id: "b", with: mapping({ name: "b" }) }),
      {
        name: "Look",
        run: ex("format('echo outputs {0} [{1}]', steps.a.outputs.main, steps.a.outputs.pre)"),
      },
      uses("octo/plain@v1"),
    ]);

    expect(stepsOf(ran)).toEqual([
      "Pre Run octo/all@v1: success",
      "Run octo/all@v1: success",
      "Run octo/post@v1: success",
      "Look: success",
      "Run octo/plain@v1: success",
      "Post Run octo/post@v1: success",
      "Post Run octo/all@v1: success",
    ]);
    expect(printed(ran)).toEqual([
      "a pre",
      "a main my-pre=old,pre=a",
      "b main",
      "outputs 1 []",
      "Post job cleanup.",
      "b post main=b,my-main=old",
      "Post job cleanup.",
      "a post main=a,my-main=old,my-pre=old,pre=a",
    ]);
    expect(ran.result.conclusion).toBe("success");
  });

  it("see inputs and variables as they are when they run", async () => {
    const ran = await runWith([
      uses("octo/post@v1", { with: mapping({ name: ex("format('name {0}', env.V)") }) }),
      { run: 'echo V=later >> "$GITHUB_ENV"' },
    ]);

    expect(printed(ran)).toContain("name later post main=name ,my-main=old");
  });

  it("are called as the first of them was, whatever its name would yield later", async () => {
    const name = ex("format('Post {0}', env.V)");
    const ran = await runWith([
      uses("octo/all@v1", { name, env: mapping({ V: ex("env.V || 'early'") }) }),
      { name: "Change", run: 'echo V=late >> "$GITHUB_ENV"' },
      uses("octo/post@v1", { name }),
      { name: "Change again", run: 'echo V=later >> "$GITHUB_ENV"' },
    ]);

    expect(stepsOf(ran).filter((line) => !line.startsWith("Change"))).toEqual([
      "Pre Post early: success",
      "Post early: success",
      "Post late: success",
      "Post Post late: success",
      "Post Post early: success",
    ]);
  });

  it("have conditions of their own", async () => {
    const fine = await runWith([uses("octo/conditions@v1")]);
    const failing = await runWith([uses("octo/conditions@v1"), { run: "exit 1" }]);

    expect(stepsOf(fine)).toEqual([
      "Pre Run octo/conditions@v1: skipped",
      "Run octo/conditions@v1: success",
      "Post Run octo/conditions@v1: skipped",
    ]);
    expect(stepsOf(failing).at(-1)).toBe("Post Run octo/conditions@v1: success");
  });

  it("leave no post behind when nothing of the action ran", async () => {
    const ran = await runWith([uses("octo/post@v1", { if: "false" }), { run: "true" }]);

    expect(stepsOf(ran)).toEqual(["Run octo/post@v1: skipped", "Run true: success"]);
  });

  it("have a post after a pre, though the step itself was skipped", async () => {
    const ran = await runWith([uses("octo/all@v1", { if: "false" })]);

    expect(stepsOf(ran)).toEqual([
      "Pre Run octo/all@v1: success",
      "Run octo/all@v1: skipped",
      "Post Run octo/all@v1: success",
    ]);
  });

  it("fail the job when one of them fails; the steps are skipped then, and the posts run", async () => {
    const failsBefore = await runWith([
      uses("octo/all@v1", { with: mapping({ fail: "pre" }) }),
      { run: "echo never" },
    ]);
    const failsAfter = await runWith([
      uses("octo/post@v1", { with: mapping({ fail: "post" }) }),
      uses("octo/all@v1"),
    ]);

    expect(stepsOf(failsBefore)).toEqual([
      "Pre Run octo/all@v1: failure",
      "Run octo/all@v1: skipped",
      "Run echo never: skipped",
      "Post Run octo/all@v1: success",
    ]);
    expect(failsBefore.result.conclusion).toBe("failure");
    expect(stepsOf(failsAfter).slice(-2)).toEqual([
      "Post Run octo/post@v1: failure",
      "Post Run octo/all@v1: success",
    ]);
    expect(failsAfter.result.conclusion).toBe("failure");
  });

  it("are one step each for a composite action, whose own posts run backwards", async () => {
    const ran = await runWith([
      uses("octo/nest@v1", { with: mapping({ name: "n" }) }),
      uses("octo/post@v1", { with: mapping({ name: "last" }) }),
    ]);

    expect(stepsOf(ran)).toEqual([
      "Pre Run octo/nest@v1: success",
      "Run octo/nest@v1: success",
      "Run octo/post@v1: success",
      "Post Run octo/post@v1: success",
      "Post Run octo/nest@v1: success",
    ]);
    expect(printed(ran)).toEqual([
      "n-2 pre",
      "n-1 main",
      "n-2 main my-pre=old,pre=n-2",
      "deep main",
      "last main",
      "Post job cleanup.",
      "last post main=last,my-main=old",
      "Post job cleanup.",
      "Post job cleanup.",
      "Post job cleanup.",
      "deep post main=deep,my-main=old",
      "Post job cleanup.",
      "n-2 post main=n-2,my-main=old,my-pre=old,pre=n-2",
      "Post job cleanup.",
      "n-1 post main=n-1,my-main=old",
    ]);
  });

  it("have no pre for an action of the workspace, which is said, but a post", async () => {
    const { "action.yml": manifest = "", ...programs } = staged();
    const files = { "tool/action.yml": manifest };
    const more = Object.fromEntries(
      Object.entries(programs).map(([name, content]) => [`tool/${name}`, content]),
    );
    const ran = await runWith([writeFiles({ ...files, ...more }), uses("./tool")]);

    expect(stepsOf(ran).slice(1)).toEqual(["Run ./tool: success", "Post Run ./tool: success"]);
    expect(ran.annotations[0]).toBe(
      "warning: `pre` execution is not supported for local action from './tool'",
    );
    expect(printed(ran).at(-1)).toBe("it post main=it,my-main=old");
  });

  it("run their posts after a cancellation too", async () => {
    await using fixture = await actionsFixture(repositories);
    const cancel = new AbortController();
    const job = aJob([uses("octo/all@v1"), { run: "echo begun; exec sleep 30" }]);

    const ran = await run(job, {
      actions: fixture.actions,
      signal: cancel.signal,
      graceMs: [300, 300],
      report(event) {
        if (event.type === "log" && event.line === "begun") cancel.abort();
      },
    });

    expect(stepsOf(ran)).toEqual([
      "Pre Run octo/all@v1: success",
      "Run octo/all@v1: success",
      "Run echo begun; exec sleep 30: cancelled",
      "Post Run octo/all@v1: success",
    ]);
    expect(ran.result.conclusion).toBe("cancelled");
  });
});
