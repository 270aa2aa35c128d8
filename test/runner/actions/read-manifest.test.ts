import { describe, expect, it } from "@jest/globals";
import { readManifest } from "../../../runner/actions/read-manifest.ts";
import { BerthError } from "../../../runner/errors.ts";

const FILE = "o/r/v1/action.yml";
const read = (text: string) => readManifest(text, FILE);
const NODE = "runs: { using: node20, main: index.js }";
const composite = (...steps: string[]) =>
  `runs: { using: composite, steps: [${steps.map((step) => `{ ${step} }`).join(", ")}] }`;
const docker = (more: string) => `runs: { using: docker, image: Dockerfile, ${more} }`;

/** `line:column message` of everything that is wrong. */
function problemsOf(text: string): string[] {
  try {
    read(text);
    return [];
  } catch (error) {
    if (!(error instanceof BerthError) || error.code !== "ACTION_INVALID") throw error;
    const heads = error.message.split("\n").filter((line) => line.startsWith(`${FILE}:`));
    return heads.map((line) => line.slice(FILE.length + 1).replace(": ", " "));
  }
}

describe("a JavaScript action", () => {
  it("is read with its inputs and stages", () => {
    const manifest = read(`
name: Greet
description: Says hello
author: me
branding: { icon: gift, color: red }
inputs:
  who:
    description: Whom
    required: true
    default: World
  token: { default: "\${{ github.token }}", DeprecationMessage: Use who, type: string }
  count: { default: 1.10, required: "true" }
  quiet: { default: false, required: false }
  none: { default: }
  bare: {}
runs:
  using: node24
  main: dist/index.js
  pre: ../pre.js
  pre-if: runner.os == 'Linux' && success()
  post: post.js
`);

    expect(manifest).toEqual({
      name: "Greet",
      inputs: {
        who: { required: true, default: "World" },
        token: {
          required: false,
          default: { expr: "github.token", at: { file: FILE, line: 11, column: 21 } },
          deprecationMessage: "Use who",
        },
        count: { required: true, default: "1.1" },
        quiet: { required: false, default: "false" },
        none: { required: false, default: "" },
        bare: { required: false },
      },
      runs: {
        using: "node",
        version: "node24",
        main: "dist/index.js",
        pre: "../pre.js",
        preIf: "runner.os == 'Linux' && success()",
        post: "post.js",
        postIf: "always()",
      },
    });
    expect(Object.keys(manifest.inputs)).toEqual([
      "who",
      "token",
      "count",
      "quiet",
      "none",
      "bare",
    ]);
  });

  it.each([
    ["node12", "node20"],
    ["node16", "node20"],
    ["node20", "node20"],
    ["Node24", "node24"],
  ])("using %s runs in %s", (using, version) => {
    expect(read(`runs: { using: ${using}, main: a.js }`).runs).toMatchObject({
      using: "node",
      version,
    });
  });

  it("may have inputs and outputs of any name", () => {
    const names = ["constructor", "toString", "__proto__", "hasOwnProperty", "with space", "1"];
    const inputs = names.map((name) => `"${name}": { default: x, constructor: y }`).join(", ");

    const manifest = read(`inputs: { ${inputs} }\nconstructor: 1\n__proto__: 2\n${NODE}`);

    expect(Object.keys(manifest.inputs).toSorted()).toEqual(names.toSorted());
    expect(Object.values(manifest.inputs)).toEqual(
      names.map(() => ({ required: false, default: "x" })),
    );
  });
});

describe("a composite action", () => {
  it("is read with GitHub's ids and its outputs", () => {
    const manifest = read(`
inputs: { sh: { default: bash } }
outputs:
  answer: { description: It, value: "\${{ steps.a.outputs.x }}" }
  fixed: { value: 42 }
  nothing: { description: no value }
runs:
  using: composite
  steps:
    - { id: a, run: "echo \${{ inputs.sh }}", shell: "\${{ inputs.sh }}", if: failure(), working-directory: d, env: { A: 1 } }
    - { uses: actions/checkout@v4, with: { depth: 0 }, name: "N \${{ github.ref }}", continue-on-error: true }
    - { uses: actions/checkout/sub@v5 }
    - { uses: ./local }
    - { uses: $/own }
    - { uses: "docker://alpine:3" }
    - { run: b, shell: sh }
    - { run: c, shell: sh, if: "\${{ always() }}" }
`);

    expect(manifest.runs).toMatchObject({
      using: "composite",
      outputs: {
        answer: { expr: "steps.a.outputs.x" },
        fixed: "42",
      },
      steps: [
        {
          kind: "run",
          id: "a",
          if: "failure()",
          run: { expr: "format('echo {0}', inputs.sh)" },
          shell: { expr: "inputs.sh" },
          workingDirectory: "d",
          env: { map: [["A", "1"]] },
          at: { file: FILE, line: 10, column: 7 },
        },
        {
          kind: "uses",
          id: "__actions_checkout",
          uses: "actions/checkout@v4",
          with: { map: [["depth", "0"]] },
          name: { expr: "format('N {0}', github.ref)" },
          continueOnError: true,
          if: "success()",
        },
        { id: "__actions_checkout_2" },
        { id: "__self" },
        { id: "__selfRepository" },
        { id: "__alpine_3" },
        { id: "__run", shell: "sh" },
        { id: "__run_2", if: "always()" },
      ],
    });
    expect(Object.keys(manifest.runs.using === "composite" ? manifest.runs.outputs : {})).toEqual([
      "answer",
      "fixed",
    ]);
  });

  it("may have no steps at all", () => {
    expect(read("runs: { using: composite, steps: [] }").runs).toEqual({
      using: "composite",
      steps: [],
      outputs: {},
    });
  });
});

describe("a docker action", () => {
  it("is read with arguments, variables and stages", () => {
    const manifest = read(
      docker(
        `args: [a, 1, true, "\${{ inputs.x }}", ""], env: { A: "\${{ inputs.y }}", B: 2 }, entrypoint: /e.sh, pre-entrypoint: /p.sh, post-entrypoint: /q.sh, post-if: failure()`,
      ),
    );

    expect(manifest.runs).toMatchObject({
      using: "docker",
      image: { kind: "dockerfile", path: "Dockerfile" },
      entrypoint: "/e.sh",
      preEntrypoint: "/p.sh",
      postEntrypoint: "/q.sh",
      args: ["a", "1", "true", { expr: "inputs.x" }, ""],
      env: { A: { expr: "inputs.y" }, B: "2" },
      preIf: "always()",
      postIf: "failure()",
    });
  });

  it.each([
    ["Dockerfile", { kind: "dockerfile", path: "Dockerfile" }],
    ["dockerfile", { kind: "dockerfile", path: "dockerfile" }],
    ["./a/Dockerfile", { kind: "dockerfile", path: "./a/Dockerfile" }],
    ["../Dockerfile.alpine", { kind: "dockerfile", path: "../Dockerfile.alpine" }],
    ["my.Dockerfile", { kind: "dockerfile", path: "my.Dockerfile" }],
    ["docker://alpine:3.20", { kind: "registry", image: "alpine:3.20" }],
    ["DOCKER://a/b@sha256:ab", { kind: "registry", image: "a/b@sha256:ab" }],
  ])("has the image %s", (text, image) => {
    expect(read(`runs: { using: docker, image: "${text}" }`).runs).toMatchObject({ image });
  });

  it("without args leaves them to the step", () => {
    expect(read(docker("env: {}")).runs).not.toHaveProperty("args");
  });
});

describe("the contexts of", () => {
  const ALL = [
    ...["github", "inputs", "vars", "needs", "strategy", "matrix", "secrets", "steps"],
    ...["job", "runner", "env"],
  ];
  const STEP = ["github", "inputs", "strategy", "matrix", "steps", "job", "runner", "env"];
  const step = (slot: string) => (e: string) => composite(`run: x, shell: sh, ${slot}: "${e}"`);

  it.each<[string, (expression: string) => string, string[]]>([
    [
      "an input's default",
      (e) => `inputs: { a: { default: "${e}" } }\n${NODE}`,
      ["github", "strategy", "matrix", "job", "runner"],
    ],
    ["an input's description", (e) => `inputs: { a: { description: "${e}" } }\n${NODE}`, []],
    ["the description", (e) => `description: "${e}"\n${NODE}`, []],
    ["main", (e) => `runs: { using: node20, main: "${e}" }`, []],
    ["image", (e) => `runs: { using: docker, image: "${e}" }`, []],
    ["args", (e) => docker(`args: ["${e}"]`), ["inputs"]],
    ["a docker action's env", (e) => docker(`env: { A: "${e}" }`), ["inputs"]],
    ["entrypoint", (e) => docker(`entrypoint: "${e}"`), []],
    ["a step's if", step("if"), STEP],
    ["a step's name", step("name"), STEP],
    ["a step's working-directory", step("working-directory"), STEP],
    ["a step's continue-on-error", step("continue-on-error"), STEP],
    ["a step's run", (e) => composite(`shell: sh, run: "${e}"`), STEP],
    ["a step's shell", (e) => composite(`run: x, shell: "${e}"`), STEP],
    ["a step's env", (e) => composite(`run: x, shell: sh, env: { A: "${e}" }`), STEP],
    ["a step's with", (e) => composite(`uses: a/b@v1, with: { A: "${e}" }`), STEP],
    ["a step's uses", (e) => composite(`uses: "${e}"`), []],
    ["a step's id", step("id"), []],
    ["an output", (e) => `outputs: { o: { value: "${e}" } }\n${composite()}`, STEP],
  ])("%s", (_slot, text, allowed) => {
    const accepted = ALL.filter((name) => problemsOf(text(`\${{ ${name}.x }}`)).length === 0);

    expect(accepted.toSorted()).toEqual(allowed.toSorted());
  });

  it.each([
    ["an input's default", (e: string) => `inputs: { a: { default: "${e}" } }\n${NODE}`, true],
    ["a step's run", (e: string) => composite(`shell: sh, run: "${e}"`), true],
    ["an output", (e: string) => `outputs: { o: { value: "${e}" } }\n${composite()}`, false],
    ["args", (e: string) => docker(`args: ["${e}"]`), false],
  ])("%s and hashFiles", (_slot, text, isAllowed) => {
    expect(problemsOf(text("${{ hashFiles('a') }}"))).toHaveLength(isAllowed ? 0 : 1);
  });

  it("a stage's condition, which has status functions", () => {
    const stage = (text: string) =>
      `runs: { using: node20, main: a.js, post: b, post-if: "${text}" }`;

    expect(problemsOf(stage("!cancelled() && hashFiles('x') != '' && github.a == env.B"))).toEqual(
      [],
    );
    expect(problemsOf(stage("secrets.A"))).toEqual([
      "1:54 Unrecognized named-value: 'secrets'. Located at position 1 within expression: secrets.A",
    ]);
  });
});

describe("an action.yml that is wrong", () => {
  it.each<[string, string, string[]]>([
    ["an empty file", "", ["1:1 The file is empty"]],
    ["a comment", "# nothing\n", ["1:1 The file is empty"]],
    ["no YAML", "runs: [node20", ["1:14 Flow sequence in block collection must be"]],
    ["a tab as indentation", `name: x\nruns:\n\tusing: node20`, ["3:1 Tabs are not allowed"]],
    ["two documents", `${NODE}\n---\n${NODE}`, ["2:1 Source contains multiple documents"]],
    ["a list", "- a", ["1:1 A sequence was not expected"]],
    ["a text", "node20", ["1:1 Unexpected value 'node20'"]],
    ["null", "~", ["1:1 Unexpected value ''"]],
    ["no runs", "name: x\ninputs: {}", [`1:1 Top level 'runs:' section is required for ${FILE}`]],
    ["Runs", "Runs: { using: node20 }", ["1:1 Top level 'runs:' section is required"]],
    ["runs without anything", "runs:", ["1:6 Unexpected value ''"]],
    ["runs as a text", "runs: node20", ["1:7 Unexpected value 'node20'"]],
    ["runs as a list", "runs: [node20]", ["1:7 A sequence was not expected"]],
    [
      "no using",
      "runs: { main: a.js }",
      ["1:7 Missing 'using' value. 'using' requires 'composite',"],
    ],
    ["an empty using", 'runs: { using: "", main: a.js }', ["1:16 Missing 'using' value."]],
    ["runs: {}", "runs: {}", ["1:7 Missing 'using' value."]],
    ["a plugin", "runs: { plugin: checkout }", ["1:7 Missing 'using' value."]],
    [
      "another runtime",
      "runs: { using: node22, main: a.js }",
      [
        "1:16 'using: node22' is not supported, use 'docker', 'node12', 'node16', 'node20' or 'node24' instead.",
      ],
    ],
    ["nonsense", "runs: { using: bash }", ["1:16 'using: bash' is not supported"]],
    ["a number", "runs: { using: 20, main: a }", ["1:16 'using: 20' is not supported"]],
    ["using as a list", "runs: { using: [node20], main: a }", ["1:16 A sequence was not expected"]],
    ["using as an expression", 'runs: { using: "${{ inputs.x }}", main: a }', ["1:16 "]],
    [
      "a JavaScript action without main",
      "runs: { using: node20 }",
      [
        `1:7 You are using a JavaScript Action but there is not an entry JavaScript file provided in ${FILE}.`,
      ],
    ],
    ["an empty main", 'runs: { using: node20, main: "" }', ["1:30 Unexpected value ''"]],
    ["main as a list", "runs: { using: node20, main: [a] }", ["1:30 A sequence was not expected"]],
    [
      "a composite action without steps",
      "runs: { using: composite }",
      [`1:7 You are using a composite action but there are no steps provided in ${FILE}.`],
    ],
    ["steps without anything", "runs: { using: composite, steps: }", ["1:34 Unexpected value ''"]],
    [
      "steps as a mapping",
      "runs: { using: composite, steps: { run: a } }",
      ["1:34 A mapping was not"],
    ],
    [
      "a docker action without image",
      "runs: { using: docker }",
      [`1:7 You are using a Container Action but an image is not provided in ${FILE}.`],
    ],
    [
      "an image by its name",
      "runs: { using: docker, image: alpine }",
      ["1:31 'alpine' should be either '[path]/Dockerfile' or 'docker://image[:tag]'."],
    ],
    [
      "docker:// alone",
      'runs: { using: docker, image: "docker://" }',
      ["1:31 'docker://' should be either"],
    ],
    [
      "docker:// and a Dockerfile's name",
      'runs: { using: docker, image: "docker:// " }',
      ["1:31 'docker:// ' should be either"],
    ],
    ["args as a text", docker("args: a b"), ["1:49 Unexpected value 'a b'"]],
    ["args as a mapping", docker("args: { a: b }"), ["1:49 A mapping was not expected"]],
    ["env as a list", docker("env: [a]"), ["1:48 A sequence was not expected"]],
    ["env as an expression", docker('env: "${{ inputs.a }}"'), ["1:48 A mapping was expected"]],
    [
      "an expression as the name of a variable",
      docker('env: { "${{ inputs.a }}": b }'),
      ["1:50 A template expression is not allowed as the name of a variable"],
    ],
    ["main in a docker action", docker("main: a.js"), ["1:43 Unexpected value 'main'"]],
    [
      "image in a JavaScript action",
      "runs: { using: node20, main: a, image: Dockerfile }",
      ["1:33 Unexpected value 'image'"],
    ],
    [
      "pre in a composite action",
      "runs: { using: composite, steps: [], pre: a.js }",
      ["1:38 Unexpected value 'pre'"],
    ],
    [
      "an unknown key below runs",
      "runs: { using: node20, main: a, foo: b }",
      ["1:33 Unexpected value 'foo'"],
    ],
    [
      "a key of every object below runs",
      "runs: { using: node20, main: a, constructor: b }",
      ["1:33 Unexpected value 'constructor'"],
    ],
    [
      "runs given twice",
      `${NODE}\nRUNS: {}\n${NODE}`,
      ["2:1 'RUNS' is already defined", "3:1 'runs' is already defined"],
    ],
    ["inputs without anything", `inputs:\n${NODE}`, ["1:8 Unexpected value ''"]],
    ["an input without anything", `inputs: { a: }\n${NODE}`, ["1:14 Unexpected value ''"]],
    ["an input as a text", `inputs: { a: b }\n${NODE}`, ["1:14 Unexpected value 'b'"]],
    ["inputs as a list", `inputs: [a]\n${NODE}`, ["1:9 A sequence was not expected"]],
    ["an input given twice", `inputs: { a: {}, A: {} }\n${NODE}`, ["1:18 'A' is already defined"]],
    [
      "a default as a list",
      `inputs: { a: { default: [x] } }\n${NODE}`,
      ["1:25 A sequence was not expected"],
    ],
    ["an empty name of an input", `inputs: { "": {} }\n${NODE}`, ["1:11 Unexpected value ''"]],
    [
      "a deprecation that is no text",
      `inputs: { a: { deprecationMessage: [x] } }\n${NODE}`,
      ["1:36 deprecationMessage must be a text"],
    ],
    [
      "an expression that is not closed",
      `inputs: { a: { default: "\${{ github.x" } }\n${NODE}`,
      ["1:25 The expression is not closed."],
    ],
    ["an output as a text", `outputs: { a: b }\n${composite()}`, ["1:15 Unexpected value 'b'"]],
    [
      "an unknown key of an output",
      `outputs: { a: { value: x, foo: y } }\n${composite()}`,
      ["1:27 Unexpected value 'foo'"],
    ],
    ["a step without run and uses", composite("name: x"), ["1:35 There's not enough info"]],
    [
      "a step that is a text",
      "runs: { using: composite, steps: [a] }",
      ["1:35 Unexpected value 'a'"],
    ],
    ["a script without shell", composite("run: a"), ["1:35 Required property is missing: shell"]],
    [
      "a step with run and uses",
      composite("run: a, shell: sh, uses: a/b@c"),
      ["1:56 Unexpected value 'uses'"],
    ],
    [
      "timeout-minutes",
      composite("uses: a/b@c, timeout-minutes: 1"),
      ["1:50 Unexpected value 'timeout-minutes'"],
    ],
    [
      "background",
      composite("run: a, shell: sh, background: true"),
      ["1:56 Unexpected value 'background'"],
    ],
    ["shell of an action", composite("uses: a/b@c, shell: sh"), ["1:50 Unexpected value 'shell'"]],
    [
      "with of a script",
      composite("run: a, shell: sh, with: {}"),
      ["1:56 Unexpected value 'with'"],
    ],
    [
      "continue-on-error as a text",
      composite('uses: a/b@c, continue-on-error: "true"'),
      ["1:69 Unexpected value 'true'"],
    ],
    [
      "an action without a ref",
      composite("uses: a/b"),
      ["1:43 Expected format {org}/{repo}[/path]@ref. Actual 'a/b'"],
    ],
    [
      "an id twice",
      composite("id: a, uses: ./x", "id: A, uses: ./x"),
      ["1:63 The identifier 'A' may not"],
    ],
    ["a reserved id", composite("id: __a, uses: ./x"), ["1:41 The identifier '__a' is invalid."]],
    ["a wrong if", composite("if: foo(), uses: ./x"), ["1:41 Unrecognized function: 'foo'"]],
    [
      "a merge key",
      `x: &x { a: b }\ny: { <<: *x }\n${NODE}`,
      ["2:6 Merge keys ('<<') are not supported"],
    ],
    [
      "a syntax error, without what follows from it",
      `x: { name: Y-\${{ a }}, b: c }\n${NODE}`,
      ["1:15 Unexpected flow-map-start at node end"],
    ],
    ["an unknown alias", `x: *nope\n${NODE}`, ["1:4 Unknown alias 'nope'"]],
    ["an alias of itself", `x: &x [*x]\n${NODE}`, ["1:8 "]],
    [
      "a file larger than 1 MiB",
      `${NODE}\n#${"x".repeat(1024 * 1024)}`,
      ["1:1 The file is larger than 1 MiB"],
    ],
    [
      "pre-if with braces",
      "runs: { using: node20, main: a, pre-if: '${{ success() }}' }",
      ["1:41 "],
    ],
  ])("%s", (_title, text, problems) => {
    expect(problemsOf(text)).toEqual(problems.map((problem) => expect.stringContaining(problem)));
  });

  it("says all that is wrong at once, in the file's order, with the lines", () => {
    const text = [
      "inputs:",
      "  a: { default: '${{ secrets.X }}' }",
      "outputs:",
      "  o: { value: 1, nope: 2 }",
      "runs:",
      "  using: composite",
      "  steps:",
      "    - run: |",
      "        echo",
      "        echo ${{ needs.x }}",
      "    - uses: checkout",
    ].join("\r\n");

    expect(problemsOf(text)).toEqual([
      expect.stringContaining("2:17 Unrecognized named-value: 'secrets'"),
      "4:18 Unexpected value 'nope'",
      "8:7 Required property is missing: shell",
      expect.stringContaining("10:14 Unrecognized named-value: 'needs'"),
      expect.stringContaining("11:13 Expected format"),
    ]);
    expect(() => read(text)).toThrow("  o: { value: 1, nope: 2 }\n                   ^\n");
  });
});

describe("odd but good YAML", () => {
  it.each([
    ["a byte order mark", `\uFEFF${NODE}`],
    ["CRLF", "runs:\r\n  using: node20\r\n  main: index.js\r\n"],
    ["CR", "runs:\r  using: node20\r  main: index.js\r".replaceAll("\r", "\n")],
    ["a document's marks", `%YAML 1.2\n---\n${NODE}\n...\n`],
    ["anchors and aliases", `x: &m index.js\nruns: { using: node20, main: *m }`],
    ["quoted keys", `"runs": { 'using': "node20", "main": 'index.js' }`],
    ["folded text", "runs:\n  using: >-\n    node20\n  main: >-\n    index.js"],
    ["unknown keys at the top", `on: yes\nfoo: [{ a: { b: ~ } }]\n${NODE}`],
    ["a key that is a number", `1: x\ntrue: y\n${NODE}`],
    ["tags", `runs: { using: !!str node20, main: !!str index.js }`],
  ])("%s", (_title, text) => {
    expect(read(text).runs).toMatchObject({ using: "node", version: "node20", main: "index.js" });
  });

  it("that is deep or grows is refused, not followed", () => {
    const bomb = ["a: &a0 [x, x, x, x, x, x, x, x, x, x]"];
    for (let i = 1; i < 9; i++) {
      bomb.push(
        `b${i}: &a${i} [${Array(10)
          .fill(`*a${i - 1}`)
          .join(", ")}]`,
      );
    }

    expect(problemsOf(`${bomb.join("\n")}\n${NODE}`)).toEqual([
      expect.stringContaining("The file is too large"),
    ]);
    expect(problemsOf(`a: ${"[".repeat(60)}${"]".repeat(60)}\n${NODE}`)).toEqual([
      expect.stringContaining("Nesting is deeper than 50 levels"),
    ]);
  });
});
