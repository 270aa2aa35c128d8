import { describe, expect, it } from "@jest/globals";
import { aStep, messages } from "./a-step.ts";

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
