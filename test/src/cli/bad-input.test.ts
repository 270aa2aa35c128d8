import { describe, expect, it } from "@jest/globals";
import { runBerth } from "./run-berth.ts";
import { temporaryRepository } from "./temporary-repository.ts";

const GOOD = `on:
  push:
  workflow_dispatch:
    inputs:
      level: { type: choice, options: [low, high], required: true }
jobs:
  a:
    runs-on: ubuntu-latest
    steps: [{ run: "true" }]
`;

type Case = {
  title: string;
  args: string[];
  says: (string | RegExp)[];
  workflow?: string;
  files?: { [path: string]: string };
};

const cases: Case[] = [
  {
    title: "an unknown job",
    args: ["-j", "b"],
    says: ["There is no job 'b'", ".github/workflows/ci.yml: a"],
  },
  {
    title: "an event that starts nothing",
    args: ["-e", "pull_request"],
    says: ["No workflow is started by the event pull_request.", "-e push, -e workflow_dispatch"],
  },
  {
    title: "an input that the workflow does not have",
    args: ["-e", "workflow_dispatch", "--input", "levle=low", "--input", "level=low"],
    says: ["The workflow has no input 'levle'.", "Its inputs: level (choice, required)."],
  },
  {
    title: "a required input that is missing",
    args: ["-e", "workflow_dispatch"],
    says: ["Input 'level' is required, but not provided."],
  },
  {
    title: "a choice that is none",
    args: ["-e", "workflow_dispatch", "--input", "level=middle"],
    says: ["Input 'level' must be one of low, high, not 'middle'."],
  },
  {
    title: "inputs for an event without inputs",
    args: ["--input", "level=low"],
    says: ["--input level is given, but push has no inputs.", "-e workflow_dispatch"],
  },
  {
    title: "a file that is not there",
    args: ["nope.yml"],
    says: ["There is no workflow file nope.yml; looked at"],
  },
  {
    title: "an event file that is not there",
    args: ["--event-file", "nope.json"],
    says: ["--event-file nope.json cannot be read: there is no such file."],
  },
  {
    title: "an event file that is not JSON",
    args: ["--event-file", "event.json"],
    files: { "event.json": "{oops" },
    says: ["event.json is not JSON"],
  },
  {
    title: "a secret that is not in the environment",
    args: ["--secret", "BERTH_TEST_NOT_SET"],
    says: ["there is no BERTH_TEST_NOT_SET in the environment"],
  },
  {
    title: "a variable without a value",
    args: ["--var", "A"],
    says: ["--var A is not NAME=VALUE.", "Write --var NAME=VALUE."],
  },
  {
    title: "a secret whose name GitHub would refuse",
    args: ["--secret", "A-B=1"],
    says: ["The secret name 'A-B' is invalid"],
  },
  {
    title: "an image without a label",
    args: ["--image", "debian"],
    says: ["--image debian is not LABEL=IMAGE."],
  },
  {
    title: "a matrix filter without a value",
    args: ["--matrix", "node"],
    says: ["--matrix node is not KEY:VALUE."],
  },
  {
    title: "a number of jobs that is none",
    args: ["--max-parallel", "0"],
    says: ["--max-parallel 0 is not a number from 1."],
  },
  {
    title: "a file for a flag that Node has too",
    args: ["--env-file", "nope.env"],
    says: ["--env-file nope.env cannot be read: there is no such file."],
  },
  {
    title: "loudness both ways",
    args: ["-q", "-v"],
    says: ["'-q, --quiet' cannot be used with option '-v, --verbose'", "berth run --help shows"],
  },
  {
    title: "a backend that there is not",
    args: ["--backend", "podman"],
    says: ["Allowed choices are docker, local."],
  },
  { title: "an unknown flag", args: ["--jsno"], says: ["unknown option '--jsno'", "--json"] },
  {
    title: "invalid YAML",
    args: [],
    workflow: "on: push\njobs: [\n",
    says: [/^\.github\/workflows\/ci\.yml:\d+:\d+: /m],
  },
  {
    title: "all mistakes of a workflow at once, each with its line",
    args: [],
    workflow: GOOD.replace("runs-on", "run-on").replace("run:", "runs:"),
    says: [
      /^\.github\/workflows\/ci\.yml:8:5: /m,
      /^ {2} {4}run-on: ubuntu-latest$/m,
      /^\.github\/workflows\/ci\.yml:9:/m,
    ],
  },
  {
    title: "a job that needs one that there is not",
    args: [],
    workflow: GOOD.replace("runs-on", "needs: [z]\n    runs-on"),
    says: [/^\.github\/workflows\/ci\.yml:8:13: Job 'a' depends on unknown job 'z'\.$/m],
  },
  {
    title: "an empty file",
    args: [],
    workflow: "",
    says: [/^\.github\/workflows\/ci\.yml:1:1: /m],
  },
];

describe("exit code 2 and words for", () => {
  it.each(cases)("$title", async ({ args, says, workflow = GOOD, files = {} }) => {
    using repository = temporaryRepository({ ".github/workflows/ci.yml": workflow, ...files });

    const ended = await runBerth(["run", "--backend", "local", ...args], { cwd: repository.root });

    for (const text of says) {
      if (typeof text === "string") expect(ended.stderr).toContain(text);
      else expect(ended.stderr).toMatch(text);
    }
    expect(ended).toMatchObject({ code: 2, stdout: "" });
    expect(ended.stderr).not.toMatch(/^\s+at .*\(/m);
  });

  it("a folder without workflows", async () => {
    using repository = temporaryRepository({ "a.txt": "" }, { git: false });

    const ended = await runBerth(["run"], { cwd: repository.root });

    expect(ended.code).toBe(2);
    expect(ended.stderr).toContain(`${repository.root}/.github/workflows has no .yml or .yaml`);
  });

  it("an unknown command", async () => {
    using repository = temporaryRepository();

    const ended = await runBerth(["rnu"], { cwd: repository.root });

    expect(ended.code).toBe(2);
    expect(ended.stderr).toContain("unknown command 'rnu'");
  });
});

it("shows where an error comes from only with --log-level debug", async () => {
  using repository = temporaryRepository({ ".github/workflows/ci.yml": GOOD });

  const plain = await runBerth(["run", "-j", "b"], { cwd: repository.root });
  const debug = await runBerth(["run", "-j", "b", "--log-level", "debug"], {
    cwd: repository.root,
  });

  expect(plain.stderr).not.toMatch(/^\s+at /m);
  expect(debug.stderr).toMatch(/^\s+at /m);
  expect(debug.stderr).toContain("[USAGE]");
});

it.each([[[]], [["run"]], [["gc"]], [["doctor"]], [["engine"]], [["image", "build"]]])(
  "explains %j with --help, an example included",
  async (command) => {
    using repository = temporaryRepository();

    const ended = await runBerth([...command, "--help"], { cwd: repository.root });

    expect(ended.code).toBe(0);
    expect(ended.stdout).toMatch(/^Examples?:$/m);
    expect(ended.stdout).not.toMatch(/\bhost add\b/);
  },
);
