import { describe, expect, it } from "@jest/globals";
import type { JobDescription } from "../../../runner/job/job-description.ts";
import { aJob, ex, mapping, run, type StepFixture } from "../job/job-fixture.ts";
import { actionsFixture, type Repositories, uses, writeFiles } from "./actions-fixture.ts";

const repositories: Repositories = {
  "octo/outer": {
    "action.yml": `
inputs:
  Name: { default: nobody }
outputs:
  said: { value: "\${{ steps.say.outputs.said }} \${{ inputs.name }}" }
  failed: { value: "\${{ steps.bad.outcome }}/\${{ steps.bad.conclusion }}" }
runs:
  using: composite
  steps:
    - id: say
      run: |
        echo "said=hello" >> "$GITHUB_OUTPUT"
        echo "inputs \${{ inputs.NAME }} \${INPUT_NAME-unset}"
        echo "path $(basename "$(dirname "$GITHUB_ACTION_PATH")")" "\${{ github.action_path == env.GITHUB_ACTION_PATH }}"
      shell: bash
      env: { GITHUB_ACTION_PATH: "\${{ github.action_path }}" }
    - id: bad
      run: exit 1
      shell: sh
      continue-on-error: true
    - uses: octo/inner@v2
      with: { word: "\${{ steps.say.outputs.said }}" }
    - run: echo "::warning::look here"
      shell: sh
      if: steps.bad.outcome == 'failure'`,
  },
  "octo/inner": {
    "action.yml": `
inputs: { word: {} }
runs:
  using: composite
  steps:
    - name: Show
      run: echo "inner \${{ inputs.word }} [\${{ steps.say.outputs.said }}] $FROM_ENV"
      shell: sh
      env: { FROM_ENV: "\${{ github.action_repository }}@\${{ github.action_ref }}" }
    - run: echo "[$GITHUB_ACTION_REPOSITORY] $GITHUB_ACTION"
      shell: sh`,
  },
  "octo/failing": {
    "action.yml": `
outputs: { got: { value: "\${{ steps.a.outputs.got }}" } }
runs:
  using: composite
  steps:
    - { id: a, run: 'echo got=it >> "$GITHUB_OUTPUT"; exit 2', shell: sh }
    - { run: echo never, shell: sh }
    - { run: echo after failure, shell: sh, if: failure() }
    - { run: 'echo always \${{ github.action_status }} \${{ job.status }}', shell: sh, if: always() }`,
  },
  "octo/broken-if": {
    "action.yml": `
runs:
  using: composite
  steps:
    - { run: echo never, shell: sh, if: "fromJSON('{')" }
    - { run: echo never either, shell: sh, if: always() }`,
  },
  "octo/no-shell": {
    "action.yml":
      "runs: { using: composite, steps: [{ run: 'echo \"$0\"', shell: '${{ inputs.shell }}' }] }",
  },
  "octo/forgiven": {
    "action.yml": `
runs:
  using: composite
  steps:
    - { run: echo never, shell: sh, if: "fromJSON('{')", continue-on-error: true }
    - { run: echo never either, shell: sh }`,
  },
  "octo/env": {
    "action.yml": `
runs:
  using: composite
  steps:
    - { run: 'echo A=changed >> "$GITHUB_ENV"; echo B=new >> "$GITHUB_ENV"; echo /added >> "$GITHUB_PATH"', shell: sh }
    - { run: 'echo "$A $B $C \${{ env.C }} \${PATH%%:*}"', shell: sh, env: { C: "\${{ env.A }}!" } }
    - { run: 'echo "[\${C-}]" "$(basename "$PWD")"', shell: sh, working-directory: sub }`,
  },
  "octo/self": {
    "action.yml": "runs: { using: composite, steps: [{ uses: octo/self@v1 }] }",
  },
};

async function runWith(steps: readonly StepFixture[], job: Partial<JobDescription> = {}) {
  await using fixture = await actionsFixture(repositories);
  const ran = await run(aJob(steps, job), { actions: fixture.actions });
  return { ...ran, fetched: fixture.fetched };
}

describe("a composite action", () => {
  it("has inputs, steps and outputs of its own, nested ones theirs", async () => {
    const { log, fetched, annotations, events } = await runWith([
      uses("octo/outer@v1", { id: "outer", with: mapping({ name: "you" }) }),
      {
        run: ex(
          "format('echo {0}, {1}, [{2}]', steps.outer.outputs.said, steps.outer.outputs.failed, steps.say.outputs.said)",
        ),
      },
    ]);

    expect(log.filter((line) => !line.startsWith("##["))).toEqual([
      "inputs you unset",
      "path outer true",
      "inner hello [] octo/inner@v2",
      "[] outer",
      "hello you, failure/success, []",
    ]);
    expect(fetched).toEqual(["octo/outer@v1", "octo/inner@v2"]);
    expect(annotations).toEqual([
      "error: Process completed with exit code 1.",
      "warning: look here",
    ]);
    expect(
      events.flatMap((event) => (event.type === "step_started" ? [event.stepName] : [])),
    ).toEqual([
      "Set up job",
      "Run octo/outer@v1",
      expect.stringMatching(/^Run \$\{\{|^Run echo/),
      "Complete job",
    ]);
  });

  it("goes on after a failure as its steps ask, has its outputs all the same, and fails", async () => {
    const { log, steps } = await runWith([
      uses("octo/failing@v1", { id: "it", continueOnError: true }),
      { run: ex("format('echo {0} {1}', steps.it.outputs.got, steps.it.outcome)") },
    ]);

    expect(log).toEqual([
      "##[error]Process completed with exit code 2.",
      "after failure",
      "always failure success",
      "it failure",
    ]);
    expect(steps).toEqual(["failure/success", "success/success"]);
  });

  it("looks at itself for success, not at the job", async () => {
    const { log } = await runWith([{ run: "exit 1" }, uses("octo/failing@v1", { if: "always()" })]);

    expect(log).toContain("always failure failure");
    expect(log).toContain("after failure");
  });

  it("stops at a condition that cannot be evaluated", async () => {
    const { log, result } = await runWith([uses("octo/broken-if@v1")]);

    expect(log).toEqual([expect.stringContaining("##[error]")]);
    expect(result.conclusion).toBe("failure");
  });

  it("fails there though its step would continue on an error", async () => {
    const { log, steps } = await runWith([uses("octo/forgiven@v1")]);

    expect(log).toEqual([expect.stringMatching(/^##\[error\]/)]);
    expect(steps).toEqual(["failure/failure"]);
  });

  it("keeps what its step's env says over what its steps set for all", async () => {
    const { log } = await runWith([
      { run: "mkdir sub" },
      uses("octo/env@v1", { env: mapping({ A: "mine" }) }),
      { run: 'echo "$A $B"' },
    ]);

    expect(log).toEqual(["mine new mine! mine! /added", "[] sub", "changed new"]);
  });

  it("has none of the job's defaults", async () => {
    const { log, result } = await runWith([uses("octo/failing@v1")], {
      defaults: { workingDirectory: "nowhere", shell: "nothing {0}" },
    });

    expect(log).toContain("after failure");
    expect(result.conclusion).toBe("failure");
  });

  it("has the runner's shell where its own turns out to be empty", async () => {
    const { result } = await runWith([uses("octo/no-shell@v1")], {
      defaults: { shell: "nothing {0}" },
    });

    expect(result.conclusion).toBe("success");
  });

  it("may not be in more than nine others", async () => {
    const { result } = await runWith([uses("octo/self@v1")]);

    expect(result.reason).toContain("Composite action depth exceeded max depth 9");
  });
});

describe("a composite action of the workspace", () => {
  const callsRemote = {
    "tool/action.yml": `
inputs: { shell: { default: sh } }
runs:
  using: composite
  steps:
    - uses: octo/inner@v3
      with: { word: local }
    - run: echo "own $GITHUB_ACTION_PATH"
      shell: \${{ inputs.shell }}`,
  };

  it("fetches what it uses when it runs", async () => {
    const { log, fetched, events } = await runWith([writeFiles(callsRemote), uses("./tool")]);

    expect(fetched).toEqual(["octo/inner@v3"]);
    expect(log).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^Download action repository 'octo\/inner@v3'/),
        "inner local [] octo/inner@v3",
        expect.stringMatching(/^own .*\/tool$/),
      ]),
    );
    expect(
      events.findIndex((event) => event.type === "log" && event.line.startsWith("Download")),
    ).toBeGreaterThan(
      events.findIndex((event) => "stepName" in event && event.stepName === "Run ./tool"),
    );
  });

  it("fails its step when that cannot be had", async () => {
    const files = {
      "tool/action.yml": "runs: { using: composite, steps: [{ uses: octo/gone@v1 }] }",
    };
    const { annotations, result, steps } = await runWith([
      writeFiles(files),
      uses("./tool"),
      { if: "always()", run: "true" },
    ]);

    expect(annotations).toEqual([expect.stringContaining("octo/gone@v1")]);
    expect(steps).toEqual(["success/success", "failure/failure", "success/success"]);
    expect(result.conclusion).toBe("failure");
  });

  it("that uses itself ends with GitHub's words", async () => {
    const files = { "tool/action.yml": "runs: { using: composite, steps: [{ uses: ./tool }] }" };
    const { annotations } = await runWith([writeFiles(files), uses("./tool")]);

    expect(annotations).toEqual([
      expect.stringContaining("Composite action depth exceeded max depth 9"),
    ]);
  });
});

describe("cancelling a composite action", () => {
  const files = {
    "tool/action.yml": `
runs:
  using: composite
  steps:
    - { run: 'echo begun; exec sleep 30', shell: bash }
    - { run: echo never, shell: sh }
    - { run: echo never either, shell: sh, if: failure() }
    - { run: 'echo tidies \${{ github.action_status }}', shell: sh, if: always() }
    - { uses: ./inner, if: cancelled() }`,
    "inner/action.yml":
      "runs: { using: composite, steps: [{ run: echo as any action, shell: sh }] }",
    "goes-on/action.yml": `
outputs: { said: { value: "\${{ steps.on.outputs.said }}" } }
runs:
  using: composite
  steps:
    - { id: on, run: 'echo begun; sleep 0.2; echo said=much >> "$GITHUB_OUTPUT"', shell: bash, if: always() }`,
  };

  async function cancelAt(line: string, steps: readonly StepFixture[]) {
    const cancel = new AbortController();
    return await run(aJob(steps), {
      signal: cancel.signal,
      graceMs: [300, 300],
      report(event) {
        if (event.type === "log" && event.line === line) cancel.abort();
      },
    });
  }

  it("stops the step that runs; of the others those run that want to", async () => {
    const { log, steps, result } = await cancelAt("begun", [
      writeFiles(files),
      uses("./tool"),
      { if: "always()", run: "echo clean-up" },
    ]);

    expect(log).toEqual([
      ...["begun", "##[error]The operation was canceled.", "tidies cancelled", "as any action"],
      "clean-up",
    ]);
    expect(steps).toEqual(["success/success", "cancelled/cancelled", "success/success"]);
    expect(result.conclusion).toBe("cancelled");
  });

  it("lets it be a success when its step went on to the end", async () => {
    const { log, steps, result } = await cancelAt("begun", [
      writeFiles(files),
      uses("./goes-on", { id: "it" }),
      { if: "always()", run: ex("format('echo {0}', steps.it.outputs.said)") },
    ]);

    expect(log).toEqual(["begun", "much"]);
    expect(steps).toEqual(["success/success", "success/success", "success/success"]);
    expect(result.conclusion).toBe("cancelled");
  });

  it("stops it when its time is over, as a failure", async () => {
    const { log, steps } = await run(
      aJob([writeFiles(files), uses("./tool", { timeoutMinutes: 0.01 })]),
      { graceMs: [300, 300] },
    );

    expect(log).toEqual([
      "begun",
      "##[error]The action 'Run ./tool' has timed out after 0.01 minutes.",
    ]);
    expect(steps).toEqual(["success/success", "failure/failure"]);
  });
});
