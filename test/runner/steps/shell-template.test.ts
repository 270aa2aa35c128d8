import { describe, expect, it } from "@jest/globals";
import { scriptShell } from "../../../runner/steps/shell-template.ts";

const facts = {
  uid: 0,
  gid: 0,
  home: "/root",
  path: "/usr/bin:/bin",
  arch: "x86_64",
  libc: "glibc" as const,
  programs: { bash: "/usr/bin/bash", sh: "/bin/sh" },
  env: {},
};
const onHost = { facts, inJobContainer: false };
const inContainer = { facts, inJobContainer: true };
const bareContainer = { facts: { ...facts, programs: {} }, inJobContainer: true };
const withoutBash = { facts: { ...facts, programs: {} }, inJobContainer: false };

describe("the shell of a script", () => {
  it.each([
    [undefined, onHost, "/usr/bin/bash -e {0}", "bash", ["-e", "/t/x"], ".sh"],
    [undefined, withoutBash, "sh -e {0}", "sh", ["-e", "/t/x"], ".sh"],
    [undefined, inContainer, "bash -e {0}", "bash", ["-e", "/t/x"], ".sh"],
    [undefined, bareContainer, "sh -e {0}", "sh", ["-e", "/t/x"], ".sh"],
    [
      "bash",
      onHost,
      "/usr/bin/bash --noprofile --norc -e -o pipefail {0}",
      "bash",
      ["--noprofile", "--norc", "-e", "-o", "pipefail", "/t/x"],
      ".sh",
    ],
    ["sh", onHost, "/bin/sh -e {0}", "sh", ["-e", "/t/x"], ".sh"],
    ["python", onHost, "python {0}", "python", ["/t/x"], ".py"],
    ["pwsh", onHost, `pwsh -command ". '{0}'"`, "pwsh", ["-command", ". '/t/x'"], ".ps1"],
    ["bash -x {0}", onHost, "/usr/bin/bash -x {0}", "bash", ["-x", "/t/x"], ".sh"],
    ["perl {0}", onHost, "perl {0}", "perl", ["/t/x"], ""],
    [
      `a "b c" \\"d 'e f' {{}} {0}`,
      onHost,
      `a "b c" \\"d 'e f' {{}} {0}`,
      "a",
      ["b c", '"d', "'e", "f'", "{}", "/t/x"],
      "",
    ],
    [`a "" x {0}`, onHost, `a "" x {0}`, "a", ["", "x", "/t/x"], ""],
    ["BASH", inContainer, "BASH --noprofile --norc -e -o pipefail {0}", "BASH", undefined, ".sh"],
  ])("%s becomes a program and its arguments", (name, where, shown, program, args, extension) => {
    const shell = scriptShell(name, where);

    expect(shell).toMatchObject({ shown, program, extension });
    if (args) expect(shell.argumentsFor("/t/x")).toEqual(args);
  });

  it("refuses a custom shell without a place for the script", () => {
    expect(() => scriptShell("cat", onHost)).toThrow("Invalid shell option.");
    expect(() => scriptShell("cat -n", onHost)).toThrow("Invalid shell option.");
  });

  it("refuses stray braces", () => {
    expect(() => scriptShell("cat {1} {0}", onHost).argumentsFor("/t/x")).toThrow(
      "Input string was not in a correct format.",
    );
  });

  it("makes PowerShell stop at errors and hand on exit codes", () => {
    const content = scriptShell("pwsh", onHost).fileContent("Get-Date");

    expect(content.split("\n")).toHaveLength(3);
    expect(content).toMatch(/^\$ErrorActionPreference = 'stop'\nGet-Date\n.*LASTEXITCODE/);
  });
});
