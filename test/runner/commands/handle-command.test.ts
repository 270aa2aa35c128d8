import { describe, expect, it } from "@jest/globals";
import type { CommandEffects } from "../../../runner/commands/command-effects.ts";
import { createCommandHandler } from "../../../runner/commands/handle-command.ts";
import { replayEffects } from "../../../runner/commands/record-effects.ts";
import type { Annotation } from "../../../runner/job/job-event.ts";
import { createMasker } from "../../../runner/logs/mask.ts";
import { createLineMatcher, createMatcherRegistry } from "../../../runner/logs/match-problems.ts";
import { parseMatcherFile } from "../../../runner/logs/problem-matcher.ts";
import { createStepLog } from "../../../runner/logs/step-log.ts";
import { createStepOutput } from "../../../runner/logs/step-output.ts";

type Options = {
  debug?: boolean;
  allowUnsecureCommands?: boolean;
  allowUnsecureStopTokens?: boolean;
};

/** One step; `effects` is what came of its commands. */
function aStep(options: Options = {}) {
  const lines: string[] = [];
  const annotations: Annotation[] = [];
  const happened: unknown[] = [];
  const masker = createMasker();
  const registry = createMatcherRegistry();
  const debug = options.debug ?? false;
  const log = createStepLog({
    masker,
    debug,
    sink: { lines: (more) => lines.push(...more), annotation: (one) => annotations.push(one) },
  });
  const effects: CommandEffects = {
    setOutput: (name, value) => happened.push(["output", name, value]),
    saveState: (name, value) => happened.push(["state", name, value]),
    setEnv: (name, value) => happened.push(["env", name, value]),
    addPath: (directory) => happened.push(["path", directory]),
    addMask: (value) => {
      happened.push(["mask", value]);
      masker.add(value);
    },
    addMatchers: (file, fail) => {
      happened.push(["matchers", file]);
      if (file === "missing.json") fail("Could not find file 'missing.json'.");
      else
        registry.add(
          parseMatcherFile(
            '{"problemMatcher":[{"owner":"x","pattern":{"regexp":"^E: (.*)","message":1}}]}',
          ),
        );
    },
    removeMatchers: (which) => happened.push(["remove", which]),
    fail: () => happened.push("fail"),
  };
  const step = { echo: debug };

  function aProcess() {
    const handler = createCommandHandler({
      step,
      log,
      effects,
      workspace: "/__w/r/r",
      allowUnsecureCommands: options.allowUnsecureCommands ?? false,
      allowUnsecureStopTokens: options.allowUnsecureStopTokens ?? false,
    });
    const matcher = createLineMatcher({ registry, resolveFile: (file) => file });
    const output = createStepOutput({ log, masker, commands: handler, matcher });
    return {
      handler,
      print: (...text: string[]) => output.write(Buffer.from(`${text.join("\n")}\n`)),
      output,
    };
  }
  return { lines, annotations, happened, effects, step, log, aProcess, ...aProcess() };
}

const messages = (annotations: readonly Annotation[]) =>
  annotations.map(({ level, message }) => `${level}: ${message}`);

describe("commands with an effect", () => {
  it.each([
    ["::set-output name=o::v%0Aw", ["output", "o", "v\nw"]],
    ["##[set-output name=o;]v", ["output", "o", "v"]],
    ["::save-state name=s::v", ["state", "s", "v"]],
    ["::add-mask:: secret ", ["mask", " secret "]],
    ["::add-matcher::.github/m.json", ["matchers", ".github/m.json"]],
    ["::remove-matcher owner=x::", ["remove", { owner: "x" }]],
    ["::remove-matcher::m.json", ["remove", { file: "m.json" }]],
  ])("do it and are not logged: %s", (line, effect) => {
    const { print, lines, happened } = aStep();

    print("before", line, "after");

    expect(happened).toEqual([effect]);
    expect(lines.filter((shown) => !shown.startsWith("##[warning]The `"))).toEqual([
      "before",
      "after",
    ]);
  });

  it.each([["set-output"], ["save-state"]])("warn that %s is deprecated", (name) => {
    const { print, annotations } = aStep();

    print(`::${name} name=a::b`);

    expect(messages(annotations)).toEqual([
      `warning: The \`${name}\` command is deprecated and will be disabled soon. Please upgrade to using Environment Files. For more information see: https://github.blog/changelog/2022-10-11-github-actions-deprecating-save-state-and-set-output-commands/`,
    ]);
  });

  it.each([
    ["::set-env name=A::b", ["env", "A", "b"]],
    ["::add-path::/opt/bin", ["path", "/opt/bin"]],
  ])("are refused or done as the security switch says: %s", (line, effect) => {
    const refused = aStep();
    const done = aStep({ allowUnsecureCommands: true });
    const name = /[a-z]+-[a-z]+/.exec(line)?.[0];

    refused.print(line);
    done.print(line);

    expect(refused.happened).toEqual(["fail"]);
    expect(refused.lines).toEqual([
      `##[error]Unable to process command '${line}' successfully.`,
      `##[error]The \`${name}\` command is disabled. Please upgrade to using Environment Files or opt into unsecure command execution by setting the \`ACTIONS_ALLOW_UNSECURE_COMMANDS\` environment variable to \`true\`. For more information see: https://github.blog/changelog/2020-10-01-github-actions-deprecating-set-env-and-add-path-commands/`,
    ]);
    expect([done.happened, done.lines]).toEqual([[effect], []]);
  });

  it.each([
    ["::set-output::v", "Required field 'name' is missing in ##[set-output] command."],
    ["::set-output name=::v", "Required field 'name' is missing in ##[set-output] command."],
    ["::save-state::v", "Required field 'name' is missing in ##[save-state] command."],
    ["::set-env::v", "Required field 'name' is missing in ##[set-env] command."],
    ["::add-path::", "Value cannot be null. (Parameter 'path')"],
    [
      "::echo::maybe",
      "Invalid echo command value. Possible values can be: 'on', 'off'. Current value is: 'maybe'.",
    ],
    ["::add-matcher::missing.json", "Could not find file 'missing.json'."],
  ])("that cannot be done fail the step, which goes on: %s", (line, message) => {
    const { print, lines, happened } = aStep({ allowUnsecureCommands: true });

    print(line, "still here");

    expect(happened).toContain("fail");
    expect(lines.slice(-3)).toEqual([
      `##[error]Unable to process command '${line}' successfully.`,
      `##[error]${message}`,
      "still here",
    ]);
  });

  it("do not set NODE_OPTIONS, and say so without failing", () => {
    const { print, annotations, happened } = aStep({ allowUnsecureCommands: true });

    print("::set-env name=node_options::x");

    expect(happened).toEqual([]);
    expect(messages(annotations)).toEqual([
      "error: Can't update NODE_OPTIONS environment variable using ::set-env:: command.",
    ]);
  });

  it.each([
    ["::add-mask::", "Can't add secret mask for empty string in ##[add-mask] command."],
    ["::add-mask::  ", "Can't add secret mask for empty string in ##[add-mask] command."],
    ["::add-matcher::", "File path must be specified."],
    [
      "::remove-matcher::",
      "Either an owner name or a file path must be specified in ##[remove-matcher] command.",
    ],
    [
      "::remove-matcher owner=x::f",
      "Either specify an owner name or a file path in ##[remove-matcher] command. Both values cannot be set.",
    ],
  ])("that ask for nothing only warn: %s", (line, message) => {
    const { print, annotations, happened } = aStep();

    print(line);

    expect([happened, messages(annotations)]).toEqual([[], [`warning: ${message}`]]);
  });
});

describe("commands for the log", () => {
  it.each([
    ["::notice::n", ["##[notice]n"]],
    ["::warning title=t,file=a.ts::w", ["##[warning]w"]],
    ["::error::one%0Atwo", ["##[error]one", "two"]],
    ["::group::My group", ["##[group]My group"]],
    ["##[group]My group", ["##[group]My group"]],
    ["::endgroup::", ["##[endgroup]"]],
    ["##[endgroup]", ["##[endgroup]"]],
    ["::debug::hidden", []],
    ["##[section]Starting", ["##[section]Starting"]],
    ["##[command]git init", ["##[command]git init"]],
    ["::internal-set-repo-path repoFullName=a::b", ["::internal-set-repo-path repoFullName=a::b"]],
    ["::unknown::x", ["::unknown::x"]],
    ["##[start-action display=x]", ["##[\\start-action display=x]"]],
    ["##[end-action display=x]", ["##[\\end-action display=x]"]],
  ])("show %s as %j", (line, shown) => {
    const { print, lines, happened } = aStep();

    print(line);

    expect([lines, happened]).toEqual([shown, []]);
  });

  it("make annotations that point to a place in the workspace", () => {
    const { print, annotations } = aStep();

    print("::error title=T,file=/__w/r/r/src/a.ts,line=3,endLine=3,col=1,endColumn=9::m");

    expect(annotations).toEqual([
      {
        level: "error",
        message: "m",
        title: "T",
        file: "src/a.ts",
        startLine: 3,
        endLine: 3,
        startColumn: 1,
        endColumn: 9,
      },
    ]);
  });

  it("show debug lines when the step is debugged, and then echo commands too", () => {
    const { print, lines } = aStep({ debug: true });

    print("::debug::one%0Atwo", "::group::g");

    expect(lines).toEqual(["##[debug]one", "##[debug]two", "::group::g", "##[group]g"]);
  });

  it("are echoed from `echo on` to `echo off`, in all processes of the step", () => {
    const { print, lines, aProcess } = aStep();

    print("::echo:: On ", "::group::a");
    aProcess().print(
      "::group::b",
      "::error::e",
      "::debug::d",
      "::add-mask::sesame",
      "::echo::off",
      "::group::c",
    );

    expect(lines).toEqual([
      "::group::a",
      "##[group]a",
      "::group::b",
      "##[group]b",
      "##[error]e",
      "::add-mask::***",
      "::echo::off",
      "##[group]c",
    ]);
  });

  it("show no data of a failed command whose line may not be shown", () => {
    const { print, lines, effects } = aStep();
    effects.addMask = () => {
      throw new Error("no more");
    };

    print("::add-mask::sesame");

    expect(lines.join()).not.toContain("sesame");
  });
});

describe("stopping commands", () => {
  it("shows command lines as they are until the token comes, in any case", () => {
    const { print, lines, happened } = aStep();

    print(
      "::stop-commands::tok",
      "::error::e",
      "::set-output name=a::b",
      "::TOK::",
      "::set-output name=a::c",
    );

    expect(lines.slice(0, 4)).toEqual([
      "::stop-commands::tok",
      "::error::e",
      "::set-output name=a::b",
      "::TOK::",
    ]);
    expect(happened).toEqual([["output", "a", "c"]]);
  });

  it("makes a token of more than six characters a secret, shown nowhere", () => {
    const { print, lines } = aStep();

    print(
      "::stop-commands::long-token",
      "x long-token",
      "::long-token::",
      "::stop-commands::short6",
      "::short6::",
    );

    expect(lines).toEqual([
      "::stop-commands::***",
      "x ***",
      "::***::",
      "::stop-commands::short6",
      "::short6::",
    ]);
  });

  it.each([
    [""],
    ["pause-logging"],
    ["Pause-Logging"],
    ["set-output"],
    ["GROUP"],
    ["stop-commands"],
  ])("refuses the token %j, unless that is allowed", (token) => {
    const refused = aStep();
    const allowed = aStep({ allowUnsecureStopTokens: true });

    refused.print(`::stop-commands::${token}`, "::group::g");
    allowed.print(`::stop-commands::${token}`, "::notice::n");

    expect(refused.happened).toEqual(["fail"]);
    expect(refused.lines[1]).toMatch(
      /^##\[error\]You cannot use a endToken that is an empty string, the string 'pause-logging', or another workflow command\./,
    );
    expect(refused.lines[2]).toBe("##[group]g");
    expect(allowed.lines.at(-1)).toBe("::notice::n");
  });

  it("ends with the process", () => {
    const { print, lines, aProcess } = aStep();

    print("::stop-commands::tok");
    aProcess().print("::group::g");

    expect(lines).toEqual(["::stop-commands::tok", "##[group]g"]);
  });
});

describe("what a process prints", () => {
  it("is masked from the line after add-mask, each of the value's lines too", () => {
    const { print, lines } = aStep();

    print("sesame", "::add-mask::sesame%0Asecond", "sesame second", "::error::sesame");

    expect(lines).toEqual(["sesame", "*** ***", "##[error]***"]);
  });

  it("is matched from the line after add-matcher, and the match stands in for the line", () => {
    const { print, lines, annotations } = aStep();

    print(
      "E: one",
      "::add-matcher::m.json",
      "E: \u001b[1mtwo",
      "fine",
      "::group::E: three",
      "E: four",
    );

    expect(lines).toEqual([
      "E: one",
      "##[error]E: two",
      "fine",
      "##[group]E: three",
      "##[error]E: four",
    ]);
    expect(messages(annotations)).toEqual(["error: two", "error: four"]);
  });

  it("may arrive in any pieces", () => {
    const text = "é::x\r\n::add-mask::sesäme\n ::group::sesäme\r##[warning]w\nend sesäme";
    const whole = aStep();
    whole.output.write(Buffer.from(text));
    whole.output.end();

    for (const size of [1, 2, 3, 5, 8]) {
      const { output, lines } = aStep();
      const bytes = Buffer.from(text);
      for (let at = 0; at < bytes.length; at += size) output.write(bytes.subarray(at, at + size));
      output.end();

      expect(lines).toEqual(whole.lines);
    }
    expect(whole.lines).toEqual(["é::x", "##[group]***", "##[warning]w", "end ***"]);
  });
});

describe("coming back to a step", () => {
  it("gives the effects of a process again, without a word in the log", () => {
    const first = aStep({ allowUnsecureCommands: true });
    first.print(
      "::set-output name=a::b",
      "::save-state name=s::t",
      "::set-env name=E::f",
      "::add-path::/p",
      "::add-mask::sesame",
      "::echo::on",
      "::echo::nonsense",
      "::add-matcher::m.json",
      "::remove-matcher owner=x::",
      "::stop-commands::long-token",
      "::error::not a command",
    );
    const second = aStep();

    const stored = JSON.parse(JSON.stringify(first.handler.recorded));
    replayEffects(stored, {
      ...second.effects,
      setEcho: (on) => {
        second.step.echo = on;
      },
    });

    expect(second.happened).toEqual(first.happened);
    expect(second.step).toEqual(first.step);
    expect(second.lines).toEqual([]);
  });

  it("remembers no more than fits: what is too much fails, and masks still hide", () => {
    const { print, lines, happened, handler } = aStep();
    const value = "x".repeat(1 << 20);
    const prints = Array.from({ length: 9 }, (_, i) => `::set-output name=o${i}::${value}`);

    print(...prints, "::add-mask::sesame", "sesame");

    expect(
      happened.filter((effect) => Array.isArray(effect) && effect[0] === "output"),
    ).toHaveLength(7);
    expect(happened).toContain("fail");
    expect(lines.at(-1)).toBe("***");
    expect(JSON.stringify(handler.recorded).length).toBeLessThan(8.5 * 2 ** 20);
  });
});
