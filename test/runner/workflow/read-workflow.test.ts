import { describe, expect, it } from "@jest/globals";
import { evaluateTemplate } from "../../../runner/expressions/evaluate.ts";
import type { Template } from "../../../runner/expressions/template.ts";
import { printProblem } from "../../../runner/workflow/problems.ts";
import { checkWorkflow, readWorkflow } from "../../../runner/workflow/read-workflow.ts";
import type { Workflow } from "../../../runner/workflow/workflow.ts";

const FILE = ".github/workflows/ci.yml";
const STEPS = "runs-on: x, steps: [{ run: echo }]";

function read(text: string): Workflow {
  return readWorkflow({ file: FILE, text });
}

/** A workflow with one job that has these fields besides what it must have. */
function job(fields: string): string {
  return `on: push\njobs:\n  a: { ${STEPS}, ${fields} }\n`;
}

/** A workflow with one step. */
function step(fields: string): string {
  return `on: push\njobs:\n  a: { runs-on: x, steps: [{ ${fields} }] }\n`;
}

function problemsOf(text: string): string[] {
  const { problems } = checkWorkflow({ file: FILE, text });
  return problems.map(({ line, column, message }) => `${line}:${column} ${message}`);
}

describe("a workflow", () => {
  it("is read with its jobs and steps", () => {
    const workflow = read(`
name: CI
run-name: By \${{ github.actor }}
on: [push, workflow_dispatch, repository_dispatch]
env: { A: 1 }
defaults: { run: { shell: sh, working-directory: src } }
permissions: { contents: write }
concurrency: ci
jobs:
  build:
    name: Build it
    runs-on: [self-hosted, gpu]
    timeout-minutes: 5
    defaults: { run: { shell: bash } }
    outputs: { o: "\${{ steps.s.outputs.o }}" }
    steps:
      - { id: s, name: First, run: echo, shell: sh, working-directory: x, env: { B: b } }
      - { uses: "actions/checkout@v4", with: { depth: 0 }, if: always(), continue-on-error: true, timeout-minutes: 1 }
  test:
    needs: BUILD
    runs-on: x
    if: needs.build.result == 'success'
    steps: [{ run: echo }]
`);

    expect(workflow).toMatchObject({
      file: FILE,
      name: "CI",
      runName: { expr: "format('By {0}', github.actor)", at: { file: FILE, line: 3, column: 11 } },
      on: { push: {}, workflow_dispatch: {}, repository_dispatch: {} },
      env: { map: [["A", "1"]] },
      defaults: { shell: "sh", workingDirectory: "src" },
      permissions: { contents: "write", metadata: "read" },
      concurrency: "ci",
      jobs: [
        {
          id: "build",
          at: { file: FILE, line: 10, column: 3 },
          name: "Build it",
          nameText: "Build it",
          if: "success()",
          needs: [],
          runsOn: { seq: ["self-hosted", "gpu"] },
          timeoutMinutes: 5,
          defaults: { shell: "bash" },
          steps: [
            {
              id: "s",
              kind: "run",
              run: "echo",
              shell: "sh",
              workingDirectory: "x",
              if: "success()",
              name: "First",
            },
            {
              id: "__actions_checkout",
              kind: "uses",
              uses: "actions/checkout@v4",
              if: "always()",
              with: { map: [["depth", "0"]] },
              continueOnError: true,
              timeoutMinutes: 1,
            },
          ],
        },
        { id: "test", needs: ["build"], if: "success() && (needs.build.result == 'success')" },
      ],
    });
  });

  it.each<[string, string]>([
    ["1.10", "1.1"],
    ["1e21", "1E+21"],
    ["0x10", "16"],
    ["0o17", "15"],
    ["0123", "123"],
    ["true", "true"],
    ["False", "false"],
    ["yes", "yes"],
    ["on", "on"],
    ["~", ""],
    ["null", ""],
    ["'007'", "007"],
    ["!!str 1.10", "1.10"],
    ["2001-12-14", "2001-12-14"],
  ])("makes text of %s as %s where text is wanted", (scalar, text) => {
    expect(read(job(`env: { A: ${scalar} }`)).jobs[0]?.env).toEqual({ map: [["A", text]] });
  });

  it.each<[string, string, Template]>([
    [
      "a literal block",
      "|\n            echo ${{ github.ref }} {x} 'y'\n              deep\n",
      "echo REF {x} 'y'\n  deep\n",
    ],
    [
      "a folded block",
      ">-\n            echo ${{ github.ref }}\n            more\n",
      "echo REF more",
    ],
    [
      "a quoted text over two lines",
      '"echo ${{ github.ref }}\n              more"\n',
      "echo REF more",
    ],
    ["two expressions", "${{ github.ref }}${{ github.ref }}\n", "REFREF"],
    ["a closing mark inside a string", "\"${{ format('}}}}{0}', '}') }}\"\n", "}}}"],
    ["an escaped opening mark", "${{ '${{' }}\n", "${{"],
    ["text around an unopened }}", "a }} ${{ github.ref }}\n", "a }} REF"],
    [
      "an expression over two lines",
      "|\n            ${{ format('a{0}',\n              github.ref) }}\n",
      "aREF\n",
    ],
  ])("keeps the text of %s", async (_title, yaml, value) => {
    const text = `on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n      - env: { A: b }\n        run: ${yaml}`;
    const [first] = read(text).jobs[0]?.steps ?? [];
    const run = first?.kind === "run" ? first.run : null;

    expect(await evaluateTemplate(run, { contexts: { github: { ref: "REF" } } })).toBe(value);
  });

  it("takes anchors and aliases, also as keys", () => {
    const workflow = read(`
on: push
env: { &name A: &value x, B: *value, C: *name }
jobs:
  a: &job { ${STEPS} }
  b: *job
`);

    expect(workflow.env).toEqual({
      map: [
        ["A", "x"],
        ["B", "x"],
        ["C", "A"],
      ],
    });
    expect(workflow.jobs.map(({ id, steps }) => [id, steps.length])).toEqual([
      ["a", 1],
      ["b", 1],
    ]);
  });

  it("keeps expression keys and ${{ insert }} of free mappings", () => {
    const { jobs } = read(`
on: push
jobs:
  a:
    runs-on: x
    env:
      \${{ github.job }}: 1
      \${{ insert }}: \${{ fromJSON(vars.e) }}
    steps: [{ run: echo }]
`);

    expect(jobs[0]?.env).toMatchObject({
      map: [
        [{ expr: "github.job" }, "1"],
        [{ insert: true }, { expr: "fromJSON(vars.e)" }],
      ],
    });
  });
});

describe("an if", () => {
  it.each([
    ["a == b", "github.ref == 'x'", "success() && (github.ref == 'x')"],
    ["with ${{ }}", '"${{ github.ref }}"', "success() && (github.ref)"],
    [
      "mixed text, which is always true",
      '"${{ github.ref }} && false"',
      "success() && (format('{0} && false', github.ref))",
    ],
    [
      "a trailing blank, which makes it text",
      '"${{ false }} "',
      "success() && (format('{0} ', false))",
    ],
    ["a status function", "failure() || github.ref", "failure() || github.ref"],
    ["a status function in other letters", "Always()", "Always()"],
    [
      "a status function's name in a string",
      "github.ref == 'always()'",
      "success() && (github.ref == 'always()')",
    ],
    ["a status function's name as a property", "github.always", "success() && (github.always)"],
    ["nothing", "''", "success()"],
    ["null", "~", "success()"],
    ["a boolean", "false", "success() && (false)"],
  ])("of %s", (_title, yaml, condition) => {
    expect(read(step(`run: echo, if: ${yaml}`)).jobs[0]?.steps[0]?.if).toBe(condition);
    expect(read(job(`if: ${yaml}`)).jobs[0]?.if).toBe(condition);
  });
});

it("takes services and containers as GitHub does", () => {
  const services = `{ db: postgres, my.cache-1: { image: "\${{ vars.X }}", entrypoint: e, command: c, ports: ["6379"], volumes: [v], env: { A: 1 }, options: --x } }`;
  const workflow = read(job(`container: { image: '' }, services: ${services}`));

  expect(workflow.jobs[0]).toMatchObject({
    container: { map: [["image", ""]] },
    services: {
      map: [
        ["db", "postgres"],
        [
          "my.cache-1",
          {
            map: expect.arrayContaining([
              ["entrypoint", "e"],
              ["command", "c"],
            ]),
          },
        ],
      ],
    },
  });
});

it("gives ids to steps that have none as GitHub does", () => {
  const uses = [
    "actions/checkout@v4",
    "actions/checkout@v3",
    "a.b/c/path@main",
    "./local",
    "$/self",
    "docker://alpine:3.8",
  ];
  const steps = [
    ...uses.map((name) => `{ uses: "${name}" }`),
    "{ run: a }",
    "{ run: b }",
    "{ id: mine, run: c }",
    "{ run: d }",
  ];
  const workflow = read(`on: push\njobs: { a: { runs-on: x, steps: [${steps.join(", ")}] } }`);

  expect(workflow.jobs[0]?.steps.map(({ id }) => id)).toEqual([
    "__actions_checkout",
    "__actions_checkout_2",
    "__a_b_c",
    "__self",
    "__selfRepository",
    "__alpine_3_8",
    "__run",
    "__run_2",
    "mine",
    "__run_3",
  ]);
});

describe("permissions", () => {
  it.each([
    ["{}", { metadata: "read" }],
    ["{ issues: write }", { issues: "write", metadata: "read" }],
    ["read-all", expect.objectContaining({ contents: "read", models: "read", metadata: "read" })],
    [
      "write-all",
      expect.objectContaining({ contents: "write", "id-token": "write", models: "read" }),
    ],
  ])("of %s", (yaml, permissions) => {
    expect(read(`${job("name: x")}permissions: ${yaml}\n`).permissions).toEqual(permissions);
  });

  it("of read-all give no id-token", () => {
    expect(read(job("permissions: read-all")).jobs[0]?.permissions).not.toHaveProperty("id-token");
  });
});

describe("a workflow that is wrong", () => {
  it.each<[string, string, string[]]>([
    ["no YAML", "on: [push", ["1:"]],
    ["two documents", `${job("name: x")}---\non: push\n`, ["multiple documents"]],
    ["an empty file", "", ["1:1 The file is empty"]],
    ["a list", "- a", ["1:1 A sequence was not expected"]],
    ["no jobs", "on: push\n", ["1:1 Required property is missing: jobs"]],
    ["no on", `jobs: { a: { ${STEPS} } }`, ["1:1 Required property is missing: on"]],
    [
      "jobs without a job",
      "on: push\njobs: {}\n",
      ["2:7 The workflow must contain at least one job with no dependencies."],
    ],
    ["an unknown key", job("nonsense: 1"), ["3:44 Unexpected value 'nonsense'"]],
    [
      "a key given twice, ignoring case",
      `on: push\nenv: { a: 1, A: 2 }\njobs: { a: { ${STEPS} } }`,
      ["2:14 'A' is already defined"],
    ],
    [
      "jobs given twice, ignoring case",
      `on: push\njobs:\n  a: { ${STEPS} }\n  A: { ${STEPS} }\n`,
      ["4:3 'A' is already defined"],
    ],
    [
      "a merge key",
      `on: push\nenv:\n  <<: { A: 1 }\njobs: { a: { ${STEPS} } }`,
      ["3:3 Merge keys ('<<') are not supported"],
    ],
    ["an unknown alias", "on: *no\njobs: {}", ["1:5 "]],
    [
      "a mapping as a key",
      `on: push\nenv: { ? { a: 1 } : 2 }\njobs: { a: { ${STEPS} } }`,
      ["2:10 A key must be a single value"],
    ],
    [
      "nesting without end",
      `on: push\nx: ${"[".repeat(60)}${"]".repeat(60)}`,
      ["deeper than 50 levels"],
    ],
    [
      "aliases that multiply",
      `a: &a [1,1,1,1,1,1,1,1,1,1]\n${[..."bcdefg"].map((name, i) => `${name}: &${name} [${Array(10).fill(`*${"abcdef"[i]}`).join(",")}]`).join("\n")}\n`,
      ["too large"],
    ],
    ["an alias within its own anchor", "on: &a { push: *a }\njobs: {}", [""]],
    [
      "a text where a boolean is wanted",
      step("run: echo, continue-on-error: 'true'"),
      ["3:60 Unexpected value 'true'"],
    ],
    ["a text where a number is wanted", job("timeout-minutes: '5'"), ["3:61 Unexpected value '5'"]],
    [
      "an unknown event",
      `on: pushed\njobs: { a: { ${STEPS} } }`,
      ["1:5 Unexpected value 'pushed'"],
    ],
    ["a step with run and uses", step("run: echo, uses: a/b@c"), ["3:41 Unexpected value 'uses'"]],
    [
      "a step with only a name",
      step("name: x"),
      ["There's not enough info to determine what you meant. Add one of these properties: "],
    ],
    [
      "a job without steps",
      "on: push\njobs: { a: { runs-on: x } }",
      ["2:9 Job 'a' has no steps and calls no workflow"],
    ],
    [
      "a job with empty steps",
      "on: push\njobs: { a: { runs-on: x, steps: [] } }",
      ["2:9 Job 'a' has no steps and calls no workflow"],
    ],
    [
      "a job without runs-on",
      "on: push\njobs: { a: { steps: [{ run: x }] } }",
      ["2:12 Required property is missing: runs-on"],
    ],
    [
      "an unclosed expression",
      step('run: "echo ${{ github.ref"'),
      ["The expression is not closed"],
    ],
    ["an empty expression", step('run: "${{ }}"'), ["3:35 An expression was expected"]],
    ["an unknown context", job('name: "${{ nope.x }}"'), ["3:50 Unrecognized named-value: 'nope'"]],
    ["an unknown function", job('name: "${{ nope() }}"'), ["3:50 Unrecognized function: 'nope'"]],
    ["an if with a wrong expression", job("if: a =="), ["3:48 Unrecognized named-value: 'a'"]],
    [
      "a step's if with secrets",
      step("run: echo, if: secrets.A"),
      ["Unrecognized named-value: 'secrets'"],
    ],
    [
      "a status function with arguments in a step",
      step("run: echo, if: success('a')"),
      ["Too many parameters supplied"],
    ],
    [
      "an expression in uses",
      step('uses: "${{ github.ref }}"'),
      ["3:36 Unrecognized named-value: 'github'"],
    ],
    [
      "an expression in shell",
      step('run: x, shell: "${{ github.ref }}"'),
      ["3:45 Unrecognized named-value: 'github'"],
    ],
    [
      "an expression in an id",
      step('run: x, id: "${{ github.ref }}"'),
      ["3:42 Unrecognized named-value: 'github'"],
    ],
    [
      "a wrong cron",
      `on: { schedule: [{ cron: "61 * * * *" }] }\njobs: { a: { ${STEPS} } }`,
      ["Invalid cron expression '61 * * * *'"],
    ],
    [
      "branches and branches-ignore",
      `on: { push: { branches: [a], branches-ignore: [b] } }\njobs: { a: { ${STEPS} } }`,
      ["'branches' and 'branches-ignore' cannot both be given"],
    ],
    [
      "a container without image",
      job("container: { options: x }"),
      ["3:55 Container image cannot be empty"],
    ],
    ["docker:// alone", job("container: 'docker://'"), ["3:55 Container image cannot be empty"]],
    [
      "an image docker:// alone",
      job("container: { image: 'docker://' }"),
      ["3:64 Container image cannot be empty"],
    ],
    ["an empty service", job("services: { a: }"), ["3:59 Unexpected value ''"]],
    ["a service of ''", job("services: { a: '' }"), ["3:59 Unexpected value ''"]],
    ["a service of docker://", job("services: { a: 'docker://' }"), ["3:59 Container image"]],
    ["a service with image ''", job("services: { a: { image: '' } }"), ["3:68 Unexpected"]],
    ["a service without image", job("services: { a: { ports: [80] } }"), ["3:59 Container image"]],
    [
      "empty credentials of a service",
      job("services: { a: { image: x, credentials: { username: '', password: p } } }"),
      ["3:96 Unexpected value ''"],
    ],
    ["a service named a/b", job("services: { a/b: x }"), ["3:56 The name 'a/b' of a service"]],
    ["a service given twice", job("services: { a: x, A: y }"), ["3:62 'A' is already defined"]],
    ["an unknown key of a service", job("services: { a: { image: x, cpu: 1 } }"), ["'cpu'"]],
    [
      "credentials without password",
      job("container: { image: x, credentials: { username: u } }"),
      ["3:80 Container credentials need a password"],
    ],
    [
      "an empty vector",
      job("strategy: { matrix: { v: [] } }"),
      ["3:64 Matrix vector 'v' does not contain any values"],
    ],
    [
      "an excluded key that is no vector",
      job("strategy: { matrix: { v: [1], exclude: [{ w: 1 }] } }"),
      ["3:64 Matrix exclude key 'w' does not match any key within the matrix"],
    ],
    [
      "a matrix without vectors",
      job("strategy: { matrix: {} }"),
      ["3:64 Matrix must define at least one vector"],
    ],
    [
      "an empty vector beside an expression",
      job("strategy: { matrix: { v: [], w: '${{ fromJSON(vars.w) }}' } }"),
      ["3:64 Matrix vector 'v' does not contain any values"],
    ],
    [
      "a concurrency group that is too long",
      job(`concurrency: ${"x".repeat(401)}`),
      ["3:57 The concurrency group is longer than 400 characters"],
    ],
    [
      "queue: max with cancel-in-progress",
      job("concurrency: { group: x, queue: max, cancel-in-progress: true }"),
      ["3:76 'queue: max' cannot be combined with 'cancel-in-progress'"],
    ],
    ["an unknown permission", job("permissions: { nope: read }"), ["Unexpected value 'nope'"]],
    ["write on models", job("permissions: { models: write }"), ["Unexpected value 'write'"]],
  ])("for %s says so", (_title, text, problems) => {
    expect(problemsOf(text)).toEqual(problems.map((problem) => expect.stringContaining(problem)));
  });

  it.each([
    ["1a", "IDs may only contain alphanumeric characters"],
    ["a.b", "The identifier 'a.b' is invalid."],
    ["x".repeat(100), "must be less than 100 characters."],
    ["__a", "IDs starting with '__' are reserved."],
  ])("refuses the id %.10s of a job and of a step", (id, message) => {
    expect(problemsOf(`on: push\njobs: { ${id}: { ${STEPS} } }`)).toEqual([
      expect.stringContaining(message),
    ]);
    expect(problemsOf(step(`run: x, id: "${id}"`))).toEqual([expect.stringContaining(message)]);
  });

  it("refuses a step's id given twice, ignoring case", () => {
    const text = `on: push\njobs: { a: { runs-on: x, steps: [{ run: x, id: a }, { run: x, id: A }] } }`;

    expect(problemsOf(text)).toEqual([
      "2:67 The identifier 'A' may not be used more than once within the same scope.",
    ]);
  });

  it.each([
    ["actions/checkout", "Expected format {org}/{repo}[/path]@ref. Actual 'actions/checkout'"],
    ["checkout@v4", "Expected format"],
    ["a/b@", "Expected format"],
    ["docker://", "names no image"],
  ])("refuses uses: %s", (uses, message) => {
    expect(problemsOf(step(`uses: "${uses}"`))).toEqual([expect.stringContaining(message)]);
  });

  it.each(["./x.yml", "a/b/.github/workflows/c.yml", "./.github/workflows/c.txt"])(
    "refuses to call %s as a workflow",
    (uses) => {
      expect(problemsOf(`on: push\njobs: { a: { uses: "${uses}" } }`)).toEqual([
        expect.stringContaining(`Invalid workflow reference '${uses}'`),
      ]);
    },
  );

  it.each([
    ["an unknown job", "b: { needs: c,", ["Job 'b' depends on unknown job 'c'."]],
    [
      "itself",
      "b: { needs: b,",
      ["Job 'b' depends on job 'b' which creates a cycle in the dependency graph."],
    ],
    [
      "each other",
      `c: { needs: B, ${STEPS} }\n  b: { needs: [a, C],`,
      [
        "Job 'c' depends on job 'b' which creates a cycle in the dependency graph.",
        "Job 'b' depends on job 'c' which creates a cycle in the dependency graph.",
      ],
    ],
  ])("refuses jobs that need %s", (_title, yaml, messages) => {
    const text = `on: push\njobs:\n  a: { ${STEPS} }\n  ${yaml} ${STEPS} }\n`;

    expect(checkWorkflow({ file: FILE, text }).problems.map(({ message }) => message)).toEqual(
      messages,
    );
  });

  it("refuses jobs that all need another", () => {
    const text = `on: push\njobs:\n  a: { needs: b, ${STEPS} }\n  b: { needs: a, ${STEPS} }\n`;

    expect(problemsOf(text)[0]).toBe(
      "3:3 The workflow must contain at least one job with no dependencies.",
    );
  });

  it("refuses a file larger than 1 MiB", () => {
    expect(problemsOf(`# ${"x".repeat(1024 * 1024)}`)).toEqual([
      "1:1 The file is larger than 1 MiB",
    ]);
  });

  it("is told with all that is wrong at once, in the file's order, each with its line", () => {
    const text = "on: pushed\njobs:\n  1a:\n    runs-on: x\n    nope: 1\n    steps: [{ run: x }]\n";

    expect(() => read(text)).toThrow(
      expect.objectContaining({
        message: [
          `${FILE}:1:5: Unexpected value 'pushed'\n  on: pushed\n      ^`,
          `${FILE}:3:3: The identifier '1a' is invalid. IDs may only contain alphanumeric characters, '_', and '-'. IDs must start with a letter or '_' and must be less than 100 characters.\n    1a:\n    ^`,
          `${FILE}:5:5: Unexpected value 'nope'\n      nope: 1\n      ^`,
        ].join("\n"),
      }),
    );
  });

  it.each<[string, string, string[]]>([
    [
      "a literal block",
      "|\n          echo ${{ a.x }}\n            x ${{ github.ref }}${{ b.x }} ${{ c.x }}\n",
      ["7:16 'a'", "8:32 'b'", "8:43 'c'"],
    ],
    ["a folded block", ">-\n          echo\n          x ${{ a.x }}\n", ["8:13 'a'"]],
    [
      "a quoted text over two lines",
      '"echo ${{ a.x }}\n          ${{ b.x }}"\n',
      ["6:20 'a'", "7:11 'b'"],
    ],
    ["a plain text over two lines", "echo\n          ${{ a.x }}\n", ["7:11 'a'"]],
  ])("shows where in %s each expression stands", (_title, yaml, places) => {
    const text = `on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n      - run: ${yaml}`;

    expect(problemsOf(text)).toEqual(
      places.map((place) => place.replace(" '", " Unrecognized named-value: '")),
    );
  });

  it("is an error with a code", () => {
    expect(() => read("on: push")).toThrow(expect.objectContaining({ code: "WORKFLOW_INVALID" }));
  });

  it("is printed with a mark below the column, tabs kept", () => {
    expect(
      printProblem({ file: "f.yml", line: 2, column: 4, message: "No.", text: "\ta: b" }),
    ).toBe("f.yml:2:4: No.\n  \ta: b\n  \t  ^");
  });
});
