import { expect, it } from "@jest/globals";
import { aJob, ex, mapping, run } from "../job/job-fixture.ts";
import { runInTwoLives, stable } from "../job/two-lives.ts";
import { actionsFixture, type Repositories, uses, writeFiles } from "./actions-fixture.ts";

const STAGE = (stage: string) => `
const fs = require("node:fs");
console.log("${stage}", process.env.STATE_seen || "", process.env["INPUT_A-B"]);
for (let i = 0; i < 5; i++) console.log("line " + i);
fs.appendFileSync(process.env.GITHUB_STATE, "seen=${stage}\\n");
fs.appendFileSync("ran", "${stage}\\n");
console.log("::save-state name=printed::${stage}");`;

const repositories: Repositories = {
  "octo/staged": {
    "action.yml":
      "inputs: { a-b: { default: x } }\nruns: { using: node20, pre: a.js, main: b.js, post: c.js }",
    "a.js": STAGE("pre"),
    "b.js": STAGE("main"),
    "c.js": STAGE("post"),
  },
  "octo/nest": {
    "action.yml": `
outputs: { made: { value: "\${{ steps.make.outputs.made }}" } }
runs:
  using: composite
  steps:
    - uses: octo/staged@v1
    - { id: make, run: 'echo "::set-output name=made::1"; echo E=2 >> "$GITHUB_ENV"', shell: sh }
    - { run: 'echo "made \${{ steps.make.outputs.made }} $E"; exit 3', shell: sh }
    - { run: 'echo after \${{ github.action_status }}', shell: sh, if: always() }`,
  },
  "octo/artifact": {
    "action.yml": "runs: { using: node20, main: a.js }",
    "a.js": 'console.log("::error::Unable to get the ACTIONS_RUNTIME_TOKEN env variable")',
  },
};

const local = {
  "tool/action.yml": "runs: { using: composite, steps: [{ uses: octo/nest@v2 }] }",
};

const job = aJob(
  [
    writeFiles(local),
    uses("octo/nest@v1", { id: "nest", continueOnError: true }),
    uses("octo/artifact@v1"),
    uses("./tool", { continueOnError: true }),
    uses("./nowhere", { continueOnError: true }),
    { run: "cat ran" },
  ],
  { outputs: mapping({ made: ex("steps.nest.outputs.made") }) },
);

it.each([0.15, 0.25, 0.35, 0.45, 0.55, 0.65, 0.75, 0.85, 0.95])(
  "goes on in the midst of actions where a process left it that died after %d of what it told",
  async (share) => {
    await using fixture = await actionsFixture(repositories);
    const { actions } = fixture;
    const whole = (await run(job, { actions })).events;
    fixture.fetched.length = 0;

    const { events, result } = await runInTwoLives(job, Math.floor(whole.length * share), {
      actions,
    });

    expect(result).toEqual({ conclusion: "success", outputs: { made: "1" } });
    expect(events.map(stable)).toEqual(whole.map(stable));
    expect(fixture.fetched).toContainEqual(
      expect.stringMatching(/^octo\/nest@v1 [0-9a-f]{40}$/), // the commit of the first life
    );
  },
);

it.each([2, 4, 6, 8, 10])(
  "remembers that a composite action was cancelled, with %d events to go",
  async (left) => {
    const files = {
      "tool/action.yml": `
runs:
  using: composite
  steps:
    - { run: 'echo begun; exec sleep 30', shell: bash }
    - { run: echo never, shell: sh }
    - { run: 'echo tidies; echo all', shell: sh, if: always() }`,
    };
    const cancelled = aJob([
      writeFiles(files),
      uses("./tool"),
      { if: "always()", run: "echo one; echo two" },
      { run: "echo never" },
    ]);
    const cancel = new AbortController();
    const whole = await run(cancelled, {
      signal: cancel.signal,
      report: (event) => void (event.type === "log" && event.line === "begun" && cancel.abort()),
    });

    const { events, result } = await runInTwoLives(
      cancelled,
      whole.events.length - left,
      {},
      "begun",
    );

    expect(result.conclusion).toBe("cancelled");
    expect(events.map(stable)).toEqual(whole.events.map(stable));
    expect(whole.log).toContain("tidies");
  },
);

it("remembers that a composite action ran out of time, and leaves out the same steps", async () => {
  const files = {
    "tool/action.yml": `
runs:
  using: composite
  steps:
    - { run: exec sleep 30, shell: bash }
    - { run: echo never, shell: sh, if: always() }`,
  };
  const always = { if: "always()" };
  const slow = aJob([
    writeFiles(files),
    uses("./tool", { timeoutMinutes: 0.005 }),
    { ...always, run: "echo one" },
    { ...always, run: "echo two; sleep 0.2; echo three" },
  ]);
  const whole = (await run(slow)).events;

  const { events, result } = await runInTwoLives(slow, whole.length - 6);

  expect(result.conclusion).toBe("failure");
  expect(events.map(stable)).toEqual(whole.map(stable));
  expect(JSON.stringify(events)).toContain("has timed out after 0.005 minutes");
});
