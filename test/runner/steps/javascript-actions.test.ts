import { describe, expect, it } from "@jest/globals";
import { openLocalPlace } from "../../../runner/job/local-place.ts";
import type { Command } from "../../../runner/shell/shell.ts";
import { aJob, ex, mapping, run, type StepFixture } from "../job/job-fixture.ts";
import { actionsFixture, type Repositories, uses, writeFiles } from "./actions-fixture.ts";

const ECHO = `for (const [name, value] of Object.entries(process.env).sort())
  if (/^(INPUT|STATE)_/.test(name)) console.log(name + "=" + value);`;

const repositories: Repositories = {
  "octo/greet": {
    "action.yml": `
name: greet
inputs:
  who-to-greet: { default: world }
  Full Name: { required: true }
  from: { default: "\${{ github.repository }} \${{ runner.os }}" }
  old: { deprecationMessage: use from }
runs: { using: node20, main: main.js }`,
    "main.js": ECHO,
  },
  "octo/inspect": {
    "action.yml": "runs: { using: node24, main: dist/index.js }\ninputs: { a-b: { default: x } }",
    "dist/index.js": `
const fs = require("node:fs");
console.log("cwd", process.cwd() === process.env.GITHUB_WORKSPACE);
console.log("argv", process.argv.length, process.argv[1] === __filename, process.execArgv.length);
console.log("main", require.main === module, module.id);
console.log("repository", process.env.GITHUB_ACTION_REPOSITORY, process.env.GITHUB_ACTION_REF);
console.log("action", process.env.GITHUB_ACTION, process.env["INPUT_A-B"]);
console.log("secret", fs.readdirSync(process.env.RUNNER_TEMP).filter((name) => name.startsWith("_start")).length);
console.log("icu", process.env.NODE_ICU_DATA);
fs.appendFileSync(process.env.GITHUB_OUTPUT, "result=42\\n");
console.log("::set-output name=old::1");`,
  },
  "octo/fail": {
    "action.yml": "runs: { using: node16, main: main.mjs }",
    "main.mjs": 'console.log("::error::it did not work"); process.exitCode = 3;',
  },
  "octo/esm": {
    "action.yml": "runs: { using: node24, main: main.mjs }\ninputs: { x-y: { default: z } }",
    "main.mjs": 'console.log(import.meta.main, process.env["INPUT_X-Y"]);',
  },
  "octo/no-main": { "action.yml": "runs: { using: node20, main: nowhere.js }" },
  "octo/mono": {
    "sub/dir/action.yaml": "runs: { using: node20, main: a.js }",
    "sub/dir/a.js": ECHO,
  },
  "octo/artifact": {
    "action.yml": "runs: { using: node20, main: a.js }",
    "a.js":
      'console.log("::error::Unable to get the ACTIONS_RUNTIME_TOKEN env variable"); process.exit(1);',
  },
  "octo/needs-token": {
    "action.yml":
      "runs: { using: node24, main: a.js }\ninputs: { repo-token: { default: '${{ github.token }}' } }",
    "a.js":
      'if (!process.env["INPUT_REPO-TOKEN"]) { console.log("::error::Input required and not supplied: repo-token"); process.exit(1); }',
  },
};

async function runWith(steps: readonly StepFixture[]) {
  await using fixture = await actionsFixture(repositories);
  const ran = await run(aJob(steps), { actions: fixture.actions });
  return { ...ran, fetched: fixture.fetched };
}

describe("a JavaScript action", () => {
  it("gets its inputs, given and by default, under names in capitals", async () => {
    const step = { with: mapping({ "full name": ex("github.event.greeting"), FROM: true }) };
    const { log, annotations } = await runWith([uses("octo/greet@v1", step)]);

    expect(log).toEqual([
      "INPUT_FROM=true",
      "INPUT_FULL_NAME=good day",
      "INPUT_OLD=",
      "INPUT_WHO-TO-GREET=world",
    ]);
    expect(annotations).toEqual([]);
  });

  it("is told of inputs that it does not know, which it gets all the same, and of deprecated ones", async () => {
    const given = { with: mapping({ other: "1", old: "2", "Full Name": "" }) };
    const { log, annotations, result } = await runWith([uses("octo/greet@v1", given)]);

    expect(annotations).toEqual([
      "warning: Input 'old' has been deprecated with message: use from",
      "warning: Unexpected input(s) 'other', valid inputs are ['who-to-greet', 'Full Name', 'from', 'old']",
    ]);
    expect(log).toContain("INPUT_OTHER=1");
    expect(log).toContain("INPUT_FROM=octo/hello Linux");
    expect(result.conclusion).toBe("success");
  });

  it("prints its inputs and variables first, secrets masked", async () => {
    await using fixture = await actionsFixture(repositories);
    const step = { with: mapping({ "Full Name": ex("secrets.S") }), env: mapping({ A: "1" }) };

    const { events } = await run(aJob([uses("octo/greet@v1", step)], { secrets: { S: "hush" } }), {
      actions: fixture.actions,
    });

    const lines = events.flatMap((event) =>
      event.type === "log" && event.step === 2 ? [event.line] : [],
    );
    expect(lines.slice(0, 8)).toEqual([
      "##[group]Run octo/greet@v1",
      "with:",
      "  Full Name: ***",
      "  who-to-greet: world",
      "  from: octo/hello Linux",
      "env:",
      "  A: 1",
      "##[endgroup]",
    ]);
    expect(JSON.stringify(events)).not.toContain("hush");
  });

  it("runs in the workspace as if Node had been given its file, whatever its inputs are called", async () => {
    const { log } = await runWith([
      uses("octo/inspect@v2", { id: "look", env: mapping({ NODE_ICU_DATA: "/x" }) }),
      { run: ex("format('echo {0} {1}', steps.look.outputs.result, steps.look.outputs.old)") },
    ]);

    expect(log.filter((line) => !line.startsWith("##[warning]"))).toEqual([
      "cwd true",
      "argv 2 true 0",
      "main true .",
      "repository octo/inspect v2",
      "action look x",
      "secret 0",
      "icu undefined",
      "42 1",
    ]);
  });

  it("never lets a value be part of an argument list, whatever its name", async () => {
    await using fixture = await actionsFixture(repositories);
    const commands: Command[] = [];
    const step = { with: mapping({ "a-b": "secret-input" }), env: mapping({ "odd.name": "odd" }) };

    const { log } = await run(aJob([uses("octo/inspect@v2", step)]), {
      actions: fixture.actions,
      async openPlace(request, options) {
        const place = await openLocalPlace(request, { ...options, env: process.env });
        const { shell } = place;
        const run: typeof shell.run = (command, how) => {
          commands.push(command);
          return shell.run(command, how);
        };
        return { ...place, shell: Object.create(shell, { run: { value: run } }) };
      },
    });

    expect(log).toContain("action __octo_inspect_v2 secret-input");
    const exposed = commands.flatMap(({ argv, env }) => [
      ...argv,
      ...Object.keys(env).filter((name) => !/^\w+$/.test(name)), // those go through the program env
    ]);
    expect(exposed.join(" ")).not.toMatch(/secret-input|odd/);
  });

  it("may be a module", async () => {
    expect((await runWith([uses("octo/esm@main")])).log).toEqual(["true z"]);
  });

  it("fails in its own words alone", async () => {
    const { log, result } = await runWith([uses("octo/fail@v1")]);

    expect(log).toEqual(["##[error]it did not work"]);
    expect(result.conclusion).toBe("failure");
  });

  it("fails when its program is missing", async () => {
    const { annotations } = await runWith([uses("octo/no-main@v1")]);

    expect(annotations).toEqual([
      expect.stringMatching(/^error: File not found: '.*\/octo\/no-main\/v1\/nowhere.js'$/),
    ]);
  });

  it("may lie in a folder of its repository", async () => {
    const step = uses("octo/mono/sub/dir@v1", { with: mapping({ a: "b" }) });
    const { log } = await runWith([step]);

    expect(log).toEqual([expect.stringContaining("Unexpected input"), "INPUT_A=b"]);
  });

  it("hears in a sentence that Berth lacks the service it asks for", async () => {
    const { annotations } = await runWith([uses("octo/artifact@v4")]);

    expect(annotations).toEqual([
      "error: Unable to get the ACTIONS_RUNTIME_TOKEN env variable",
      expect.stringMatching(/^notice: This action asks for GitHub's artifact service, which Berth/),
    ]);
  });

  it("hears where a token comes from when it misses one", async () => {
    const { annotations } = await runWith([uses("octo/needs-token@v4")]);

    expect(annotations).toEqual([
      "error: Input required and not supplied: repo-token",
      expect.stringMatching(/^notice: This action was given no token .* Give one with --token/),
    ]);
  });

  it("is fetched before the first step, once, and its commit is told", async () => {
    const { events, fetched } = await runWith([
      uses("octo/esm@main"),
      uses("octo/esm@main", { id: "__again", if: "false" }),
    ]);

    const lines = events.flatMap((event) => (event.type === "log" ? [event.line] : []));
    const from = lines.indexOf("Prepare all required actions");
    expect(lines.slice(from, from + 3)).toEqual([
      "Prepare all required actions",
      "Getting action download info",
      expect.stringMatching(/^Download action repository 'octo\/esm@main' \(SHA:[0-9a-f]{40}\)$/),
    ]);
    expect(fetched).toEqual(["octo/esm@main"]);
  });

  it("that nobody has fails the set-up, and no step runs", async () => {
    const { result, events } = await runWith([{ run: "echo never" }, uses("octo/gone@v1")]);

    expect(result.conclusion).toBe("failure");
    expect(result.reason).toContain("octo/gone@v1");
    expect(events.filter(({ type }) => type === "step_started")).toHaveLength(1);
  });
});

describe("an action of the workspace", () => {
  const files = {
    "tool/action.yml": "inputs: { a-b: { default: c } }\nruns: { using: node20, main: m.js }",
    "tool/m.js": ECHO,
  };

  it("is read when its step runs", async () => {
    const { log, result } = await runWith([writeFiles(files), uses("./tool")]);

    expect(log).toEqual(["INPUT_A-B=c"]);
    expect(result.conclusion).toBe("success");
  });

  it("that is not there says what is missing", async () => {
    const { annotations } = await runWith([uses("./tool")]);

    expect(annotations).toEqual([
      expect.stringMatching(
        /^error: Can't find 'action.yml', 'action.yaml' or 'Dockerfile' under '.*\/tool'\. Did you forget to run actions\/checkout/,
      ),
    ]);
  });

  it("that is wrong says where", async () => {
    const wrong = { "tool/action.yml": "runs:\n  using: node99\n  main: m.js" };
    const { annotations } = await runWith([writeFiles(wrong), uses("./tool")]);

    expect(annotations).toEqual([expect.stringContaining("tool/action.yml:2:")]);
  });

  it("that is larger than 1 MiB is refused, not cut", async () => {
    const large = `yes "# a line" | head -c 1050000 >> tool/action.yml`;
    const { annotations } = await runWith([
      writeFiles(files),
      { run: large },
      uses("./tool", { id: "it" }),
    ]);

    expect(annotations).toEqual([expect.stringContaining("The file is larger than 1 MiB")]);
  });

  it("that lacks its program says so", async () => {
    const lacking = { "tool/action.yml": files["tool/action.yml"] };
    const { annotations } = await runWith([writeFiles(lacking), uses("./tool")]);

    expect(annotations).toEqual([
      expect.stringMatching(/^error: File not found: '.*\/tool\/m.js'$/),
    ]);
  });

  it("that needs a container engine says so where there is none", async () => {
    const docker = { "tool/Dockerfile": "FROM scratch" };
    const { annotations } = await runWith([writeFiles(docker), uses("./tool")]);

    expect(annotations).toEqual([expect.stringContaining("needs a container engine")]);
  });
});
