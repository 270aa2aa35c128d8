import { describe, expect, it } from "@jest/globals";
import { z } from "zod";
import { type ExecuteJobOptions, executeJob } from "../../src/berth-runner.ts";
import { temporaryRepository } from "./cli/temporary-repository.ts";
import { fakeGitHub } from "./github/fake-github.ts";
import { githubTarball } from "./github/tarball.ts";

describe("executeJob", () => {
  it("runs a job given as an object, and hands back conclusion, outputs and log", async () => {
    const job = {
      outputs: { greeting: "${{ steps.greet.outputs.text }}" },
      steps: [
        { id: "greet", run: 'echo "text=hello ${{ inputs.name }}" >> "$GITHUB_OUTPUT"' },
        { run: "echo printed ${{ inputs.count == 3 }} $E ${{ secrets.S }}" },
      ],
    };

    const ended = await execute(job, {
      inputs: { name: "Ada", count: 3 },
      env: { E: "env" },
      secrets: { S: "hidden-value" },
      runId: "r1",
    });

    expect(ended).toMatchObject({
      runId: "r1",
      conclusion: "success",
      outputs: { greeting: "hello Ada" },
    });
    expect(ended.log).toContain("\nprinted true env ***\n");
  });

  it("runs one job of a workflow with what it needs", async () => {
    const workflow = `on: push
jobs:
  a: { runs-on: x, outputs: { n: "\${{ steps.s.outputs.n }}" }, steps: [{ id: s, run: echo n=7 >> $GITHUB_OUTPUT }] }
  b: { runs-on: x, needs: a, steps: [{ run: 'echo got \${{ needs.a.outputs.n }}' }] }
  c: { runs-on: x, steps: [{ run: exit 1 }] }`;

    const ended = await execute(workflow, { job: "b" });

    expect(ended.conclusion).toBe("success");
    expect(ended.log).toContain("\ngot 7\n");
  });

  it("has a conclusion, not an error, for a job that fails", async () => {
    const ended = await execute("steps: [{ run: exit 4 }]");

    expect(ended.conclusion).toBe("failure");
    expect(ended.log).toContain("Process completed with exit code 4.");
  });

  it("cancels the job with the signal", async () => {
    const cancel = new AbortController();

    const ended = await execute("steps: [{ run: echo begun; sleep 60 }]", {
      signal: cancel.signal,
      onEvent: (event) => event.type === "log" && event.line === "begun" && cancel.abort(),
    });

    expect(ended.conclusion).toBe("cancelled");
  });

  it("takes actions from folders given for them, and from the server that is named", async () => {
    await using github = await fakeGitHub();
    const commit = "c".repeat(40);
    const manifest = "runs: { using: composite, steps: [{ run: echo theirs, shell: sh }] }";
    const archive = await githubTarball({ "action.yml": manifest });
    github.add("o/theirs", { refs: { "tags/v1": commit }, archives: { [commit]: archive } });
    using mine = temporaryRepository({ "action.yml": manifest.replace("theirs", "mine") });

    const ended = await execute("steps: [{ uses: o/mine@v1 }, { uses: o/theirs@v1 }]", {
      localActions: { "o/mine@v1": mine.root },
      apiUrl: github.url,
      token: "of-the-server",
    });

    expect(ended.log).toContain("\nmine\n");
    expect(ended.log).toContain("\ntheirs\n");
    expect(github.asked[0]?.headers.authorization).toBe("Bearer of-the-server");
  });

  it.each([
    ["steps: [{ ruin: x }]", {}, "WORKFLOW_INVALID"],
    ["{{", {}, "WORKFLOW_INVALID"],
    ["on: push\njobs: { a: &j { runs-on: x, steps: [run: x] }, b: *j }", {}, "USAGE"],
    ["on: push\njobs: { a: { runs-on: x, steps: [run: x] } }", { job: "z" }, "USAGE"],
    ["steps: [{ uses: actions/checkout }]", {}, "WORKFLOW_INVALID"],
    ["steps: [{ run: x }]", { localActions: { "o/r@v1": "/not/there" } }, "USAGE"],
    ["steps: [{ run: x }]", { apiUrl: "api.example.com" }, "USAGE"],
    ["on: push\njobs: { a: { uses: ./.github/workflows/b.yml } }", {}, "NOT_SUPPORTED_YET"],
  ])("says what is wrong with %j", async (job, options, code) => {
    await expect(execute(job, options)).rejects.toMatchObject({ code });
  });
});

it("has the schemas of containers as zod schemas", async () => {
  const { ContainerSettings, settingsToSpec } = await import("../../src/berth-runner.ts");

  const settings = ContainerSettings.parse({ image: "debian:12", resources: { memory: "1g" } });

  expect(settingsToSpec(settings)).toMatchObject({ image: "debian:12", options: '--memory="1g"' });
  expect(z.toJSONSchema(ContainerSettings, { io: "input" })).toMatchObject({ type: "object" });
});

async function execute(job: Parameters<typeof executeJob>[0], options: ExecuteJobOptions = {}) {
  using repository = temporaryRepository();
  process.env.XDG_STATE_HOME = repository.root;
  return await executeJob(job, { backend: "local", folder: repository.root, ...options });
}
