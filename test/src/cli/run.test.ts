import { existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "@jest/globals";
import { z } from "zod";
import { conclusions, ending, logOf, runBerth, startBerth } from "./run-berth.ts";
import { temporaryRepository } from "./temporary-repository.ts";

const LOCAL = ["run", "--backend", "local"];
const JSON_RUN = [...LOCAL, "--json"];

function repositoryWith(workflow: string, name = "ci.yml") {
  const repository = temporaryRepository({ [`.github/workflows/${name}`]: workflow });
  repository.commit("One");
  return repository;
}

function oneJob(...steps: string[]): string {
  const lines = steps.map((step) => `      - run: ${step}`);
  return ["on: push", "jobs:", "  a:", "    runs-on: ubuntu-latest", "    steps:", ...lines].join(
    "\n",
  );
}

describe("the exit code", () => {
  it("is 0 when all jobs succeeded or were skipped", async () => {
    using repository = repositoryWith(
      `${oneJob("true")}\n  b:\n    if: false\n    runs-on: x\n    steps: [{ run: "true" }]`,
    );

    const ended = await runBerth(JSON_RUN, { cwd: repository.root });

    expect(ended.code).toBe(0);
    expect(conclusions(ended)).toEqual({ a: "success", b: "skipped" });
  });

  it("is 1 when a job failed", async () => {
    using repository = repositoryWith(oneJob("exit 3"));

    const ended = await runBerth(LOCAL, { cwd: repository.root });

    expect(ended.code).toBe(1);
    expect(ended.stdout).toContain("Process completed with exit code 3.");
  });

  it("is 3 when no engine answers, with what to do", async () => {
    using repository = repositoryWith(oneJob("true"));

    const ended = await runBerth(["run", "--docker", "unix:///nowhere.sock"], {
      cwd: repository.root,
    });

    expect(ended.code).toBe(3);
    expect(ended.stderr).toContain("No container engine answers.");
    expect(ended.stderr).not.toMatch(/^\s+at /m);
  });

  it("is 130 after Ctrl-C, and clean-up steps have run before", async () => {
    using repository = repositoryWith(
      `${oneJob("echo begun; sleep 60")}\n      - run: echo cleaned\n        if: always()\n      - run: echo never`,
    );
    const child = startBerth(JSON_RUN, { cwd: repository.root });
    const ended = ending(child);
    await heard(child, "begun");

    child.kill("SIGINT");

    const result = await ended;
    expect(result.code).toBe(130);
    expect(logOf(result)).toContain("cleaned");
    expect(logOf(result)).not.toContain("never");
    expect(result.events.at(-1)).toMatchObject({ type: "run_finished", conclusion: "cancelled" });
    expect(result.stderr).toContain("Ctrl-C again ends at once");
  });

  it("is 130 soon after a second Ctrl-C, without the clean-up steps", async () => {
    using repository = repositoryWith(
      `${oneJob("trap '' INT TERM; echo begun; sleep 60 & wait; sleep 60")}\n      - run: echo cleaned\n        if: always()`,
    );
    const child = startBerth(JSON_RUN, { cwd: repository.root });
    const ended = ending(child);
    await heard(child, "begun");

    child.kill("SIGTERM");
    await sleep(300);
    child.kill("SIGTERM");

    const result = await ended;
    expect(result.code).toBe(130);
    expect(logOf(result)).not.toContain("cleaned");
    expect(conclusions(result)).toEqual({ a: "cancelled" });
  });
});

describe("with --json", () => {
  it("prints the events of the contract and nothing else", async () => {
    using repository = repositoryWith(
      `on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    outputs: { x: "\${{ steps.s.outputs.x }}" }\n    steps:\n` +
        `      - { id: s, run: "echo x=1 >> $GITHUB_OUTPUT; echo '# Sum' >> $GITHUB_STEP_SUMMARY; echo '::error file=a.c,line=2,title=T::bad'" }\n` +
        `      - { run: exit 1, continue-on-error: true }\n`,
    );

    const ended = await runBerth(JSON_RUN, { cwd: repository.root });

    const lines = ended.stdout.trimEnd().split("\n");
    expect(lines.map((line) => AnyEvent.safeParse(JSON.parse(line)).error)).toEqual(
      lines.map(() => undefined),
    );
    expect(ended.events.at(0)?.type).toBe("run_started");
    expect(ended.events.at(-1)).toMatchObject({ type: "run_finished", conclusion: "success" });
    expect(ended.events.find(({ type }) => type === "annotation")).toMatchObject({
      level: "error",
      message: "bad",
      file: "a.c",
      startLine: 2,
      title: "T",
    });
    expect(ended.events.find(({ type }) => type === "job_finished")).toMatchObject({
      outputs: { x: "1" },
    });
  });

  it("lets the job go on while nobody reads", async () => {
    using repository = temporaryRepository();
    const done = join(repository.root, "done");
    repository.write(
      ".github/workflows/ci.yml",
      oneJob(`"seq -f '%060.0f' 1 200000; touch ${done}"`),
    );
    const child = startBerth(JSON_RUN, { cwd: repository.root });

    while (!existsSync(done)) await sleep(50);
    const ended = await ending(child);

    expect(ended.code).toBe(0);
    const numbers = logOf(ended).filter((line) => /^0{40}/.test(line));
    expect(numbers.map(Number)).toEqual(Array.from({ length: 200_000 }, (_, at) => at + 1));
  });

  it("does not mind a reader that goes away", async () => {
    using repository = temporaryRepository();
    const done = join(repository.root, "done");
    repository.write(".github/workflows/ci.yml", oneJob(`"seq 1 200000; touch ${done}"`));
    const child = startBerth(JSON_RUN, { cwd: repository.root });
    child.stdout?.once("data", () => child.stdout?.destroy());

    const code = await new Promise((resolve) => child.once("exit", resolve));

    expect(code).toBe(0);
    expect(existsSync(done)).toBe(true);
  });
});

describe("what a run is told", () => {
  it("reaches the contexts: flags win over files, secrets come from the environment too", async () => {
    using repository = repositoryWith(
      oneJob(
        `echo "\${{ vars.A }} \${{ vars.B }} \${{ secrets.S1 == 'one' }} \${{ secrets.S2 == 'two' }} $E1 \${{ github.actor }}"`,
        `echo "\${{ github.token == 'tok' }} \${{ github.server_url }} \${{ github.api_url }}"`,
      ),
    );
    repository.write("vars.env", "A=file\nB='from file'\n# comment\n");
    const flags = ["--var-file", "vars.env", "--var", "A=flag", "--secret", "S1=one", "--secret"];
    const more = ["S2", "--env", "E1=e", "--actor", "grace", "--github-url", "https://ghes.local"];

    const ended = await runBerth([...JSON_RUN, ...flags, ...more], {
      cwd: repository.root,
      env: { S2: "two", GITHUB_TOKEN: "tok" },
    });

    expect(logOf(ended)).toEqual(
      expect.arrayContaining([
        "flag from file true true e grace",
        "true https://ghes.local https://ghes.local/api/v3",
      ]),
    );
  });

  it("starts a workflow that has only workflow_dispatch as such, with typed inputs", async () => {
    using repository = repositoryWith(
      `on:\n  workflow_dispatch:\n    inputs:\n      flag: { type: boolean }\n      name: { required: true }\njobs:\n  a:\n    runs-on: x\n    steps:\n` +
        `      - run: echo "\${{ github.event_name }} \${{ inputs.flag == true }} \${{ github.event.inputs.flag }} \${{ inputs.name }}"\n`,
    );

    const ended = await runBerth([...JSON_RUN, "--input", "flag=true", "--input", "name=n"], {
      cwd: repository.root,
    });

    expect(logOf(ended)).toContain("workflow_dispatch true true n");
  });

  it("runs only the named job with what it needs, and only the wanted legs", async () => {
    using repository = repositoryWith(
      `on: push\njobs:\n  a: { runs-on: x, steps: [{ run: "true" }] }\n` +
        `  b: { needs: a, runs-on: x, strategy: { matrix: { n: [1, 2], o: [x, y] } }, steps: [{ run: "true" }] }\n` +
        `  c: { runs-on: x, steps: [{ run: exit 1 }] }\n`,
    );

    const ended = await runBerth([...JSON_RUN, "-j", "b", "--matrix", "n:2", "--matrix", "o:y"], {
      cwd: repository.root,
    });

    expect(conclusions(ended)).toEqual({ a: "success", "b (2, y)": "success" });
  });

  it("counts the runs of a workflow and gives each an id of its own", async () => {
    using repository = repositoryWith(oneJob('"echo $GITHUB_RUN_NUMBER $GITHUB_RUN_ID"'));

    const first = await runBerth(JSON_RUN, { cwd: repository.root });
    const second = await runBerth(JSON_RUN, { cwd: repository.root });

    expect(logOf(first)).toContain(`1 ${first.events[0]?.run}`);
    expect(logOf(second)).toContain(`2 ${second.events[0]?.run}`);
    expect(first.events[0]?.run).not.toBe(second.events[0]?.run);
  });

  it("refuses labels of Windows and macOS in words, unless an image is given for them", async () => {
    using repository = repositoryWith(
      "on: push\njobs:\n  a: { runs-on: windows-latest, steps: [{ run: echo ran }] }",
    );

    const refused = await runBerth(JSON_RUN, { cwd: repository.root });
    const mapped = await runBerth([...JSON_RUN, "--image", "windows-latest=x"], {
      cwd: repository.root,
    });

    expect(refused.code).toBe(1);
    expect(refused.events.find(({ type }) => type === "job_finished")?.reason).toMatch(
      /^The label windows-latest asks for Windows/,
    );
    expect(mapped.code).toBe(0);
  });
});

describe("which workflows run", () => {
  it("is all that the event starts, and it is said why the others do not", async () => {
    using repository = repositoryWith(oneJob("true"));
    repository.write(".github/workflows/pr.yml", oneJob("true").replace("push", "pull_request"));
    repository.write(
      ".github/workflows/docs.yaml",
      oneJob("true").replace("on: push", "on: { push: { paths: [docs/**] } }"),
    );

    const ended = await runBerth(JSON_RUN, { cwd: repository.root });

    const started = ended.events.filter(({ type }) => type === "run_started");
    expect(started.map(({ workflow }) => workflow)).toEqual([".github/workflows/ci.yml"]);
    expect(ended.stderr).toContain("pr.yml is not started: It runs on pull_request, not on push.");
    expect(ended.stderr).toContain(
      "docs.yaml is not started: None of the changed files is in its paths: docs/**.",
    );
  });

  it("is a named file whatever its filters say, from any folder of the repository", async () => {
    using repository = repositoryWith(
      oneJob("pwd").replace("on: push", "on: { push: { branches: [release] } }"),
    );
    repository.write("deep/down/x", "");

    const ended = await runBerth([...JSON_RUN, ".github/workflows/ci.yml"], {
      cwd: join(repository.root, "deep/down"),
    });

    expect(ended.code).toBe(0);
    expect(ended.stderr).toContain("GitHub would not start it: Its branches are release; main");
    expect(ended.events[0]?.workflow).toBe(".github/workflows/ci.yml");
  });

  it("is listed by --list in order, with matrix legs, and nothing runs", async () => {
    using repository = repositoryWith(
      `on: push\njobs:\n  test: { needs: [build], runs-on: x, strategy: { matrix: { n: [1, 2] } }, steps: [{ run: touch ran }] }\n` +
        `  build: { runs-on: x, name: Build it, steps: [{ run: "true" }] }\n`,
    );

    const people = await runBerth(["run", "--list"], { cwd: repository.root });
    const program = await runBerth(["run", "--list", "--json"], { cwd: repository.root });

    expect(people.stdout.split("\n")).toEqual([
      ".github/workflows/ci.yml",
      "  1. build  (Build it)",
      "  2. test  needs build",
      "       n: 1",
      "       n: 2",
      "",
    ]);
    expect(JSON.parse(program.stdout)).toEqual({
      jobs: [
        { id: "build", name: "Build it", needs: [], stage: 0, legs: [{}] },
        { id: "test", name: "test", needs: ["build"], stage: 1, legs: [{ n: 1 }, { n: 2 }] },
      ],
    });
  });
});

const Base = { at: z.iso.datetime(), run: z.string().min(1) };
const Job = { ...Base, job: z.string(), name: z.string() };
const Step = { ...Job, step: z.int().positive() };
const Conclusion = z.enum(["success", "failure", "cancelled", "skipped"]);
const Place = z.int().positive().optional();
const AnyEvent = z.discriminatedUnion("type", [
  z.strictObject({
    ...Base,
    type: z.literal("run_started"),
    workflow: z.string(),
    event: z.string(),
    sha: z.string(),
  }),
  z.strictObject({ ...Job, type: z.literal("job_started"), host: z.string(), image: z.string() }),
  z.strictObject({ ...Step, type: z.literal("step_started"), stepName: z.string() }),
  z.strictObject({ ...Step, type: z.literal("log"), line: z.string() }),
  z.strictObject({
    ...Step,
    type: z.literal("annotation"),
    level: z.enum(["notice", "warning", "error"]),
    message: z.string(),
    title: z.string().optional(),
    file: z.string().optional(),
    startLine: Place,
    endLine: Place,
    startColumn: Place,
    endColumn: Place,
  }),
  z.strictObject({
    ...Step,
    type: z.literal("step_finished"),
    stepName: z.string(),
    outcome: Conclusion,
    conclusion: Conclusion,
    ms: z.number(),
  }),
  z.strictObject({
    ...Job,
    type: z.literal("job_finished"),
    conclusion: Conclusion,
    outputs: z.record(z.string(), z.string()),
    ms: z.number(),
    reason: z.string().optional(),
  }),
  z.strictObject({
    ...Base,
    type: z.literal("run_finished"),
    conclusion: Conclusion,
    ms: z.number(),
  }),
]);

/** Resolves once a line of the log says so. */
async function heard(child: ReturnType<typeof startBerth>, line: string): Promise<void> {
  await new Promise<void>((resolve) => {
    let text = "";
    child.stdout?.on("data", (chunk) => {
      text += chunk;
      if (text.includes(`"line":"${line}"`)) resolve();
    });
  });
}
