import { describe, expect, it } from "@jest/globals";
import { applyFileCommands, type CommandFile } from "../../../runner/commands/file-commands.ts";
import { createMasker } from "../../../runner/logs/mask.ts";
import { createStepLog } from "../../../runner/logs/step-log.ts";

function apply(
  files: { [name in CommandFile]?: string | Buffer },
  { truncatedAt }: { truncatedAt?: number } = {},
) {
  const happened: unknown[] = [];
  const lines: string[] = [];
  const masker = createMasker();
  masker.add("sesame");
  const collected = Object.entries(files).map(([name, text]) => {
    const content = Buffer.from(text);
    const cut = truncatedAt === undefined ? content : content.subarray(0, truncatedAt);
    return [
      name,
      { content: cut, truncated: cut.length < content.length, sizeBytes: content.length },
    ];
  });
  applyFileCommands(Object.fromEntries(collected), {
    masker,
    log: createStepLog({
      masker,
      debug: false,
      sink: { lines: (more) => lines.push(...more), annotation: () => {} },
    }),
    effects: {
      setOutput: (name, value) => happened.push(["output", name, value]),
      saveState: (name, value) => happened.push(["state", name, value]),
      setEnv: (name, value) => happened.push(["env", name, value]),
      addPath: (directory) => happened.push(["path", directory]),
      addSummary: (markdown) => happened.push(["summary", markdown]),
      fail: () => happened.push("fail"),
    },
  });
  return { happened, lines };
}

describe("command files", () => {
  it("are read in the order path, env, summary, state, output", () => {
    const { happened } = apply({
      output: "o=1\n",
      state: "s=2\n",
      step_summary: "# Hi\n",
      env: "E=3\n",
      path: "/a\n/b\n",
    });

    expect(happened).toEqual([
      ["path", "/a"],
      ["path", "/b"],
      ["env", "E", "3"],
      ["summary", "# Hi\n"],
      ["state", "s", "2"],
      ["output", "o", "1"],
    ]);
  });

  it("that are missing or empty do nothing", () => {
    expect(apply({})).toEqual({ happened: [], lines: [] });
    expect(apply({ env: "", path: "", step_summary: "", output: "", state: "" })).toEqual({
      happened: [],
      lines: [],
    });
  });

  it.each([["env"], ["state"], ["output"]] as const)(
    "that are wrong fail the step, keep what they said before, and hinder no other: %s",
    (name) => {
      const good = { env: "A=1\n", state: "A=1\n", output: "A=1\n" };

      const { happened, lines } = apply({ ...good, [name]: "A=1\nbad\nB=2\n" });

      expect(happened.filter((effect) => effect !== "fail")).toEqual([
        ["env", "A", "1"],
        ["state", "A", "1"],
        ["output", "A", "1"],
      ]);
      expect(happened).toContain("fail");
      expect(lines).toEqual([
        `##[error]Unable to process file command '${name}' successfully.`,
        "##[error]Invalid format 'bad'",
      ]);
    },
  );

  it("do not set NODE_OPTIONS, say so, and go on without failing", () => {
    const { happened, lines } = apply({ env: "A=1\nNode_Options=x\nB=2\n" });

    expect(happened).toEqual([
      ["env", "A", "1"],
      ["env", "B", "2"],
    ]);
    expect(lines).toEqual([
      "##[error]Can't store NODE_OPTIONS output parameter using '$GITHUB_ENV' command.",
    ]);
  });

  it("may be UTF-8 with a mark, or UTF-16", () => {
    for (const text of [
      Buffer.from("\ufeffA=ö\n"),
      Buffer.from("\ufeffA=ö\n", "utf16le"),
      Buffer.from("\ufeffA=ö\n", "utf16le").swap16(),
    ]) {
      expect(apply({ env: text }).happened).toEqual([["env", "A", "ö"]]);
    }
  });

  it("that are longer than could be read fail the step and set nothing", () => {
    const { happened, lines } = apply({ output: `a=${"x".repeat(5000)}\n` }, { truncatedAt: 2048 });

    expect(happened).toEqual(["fail"]);
    expect(lines[0]).toBe("##[error]Unable to process file command 'output' successfully.");
  });
});

describe("the step summary", () => {
  it("is masked line by line, and every line ends", () => {
    const { happened } = apply({ step_summary: "# sesame\r\n\nlast" });

    expect(happened).toEqual([["summary", "# ***\n\nlast\n"]]);
  });

  it("may have 1,024 KiB", () => {
    const { happened, lines } = apply({ step_summary: `${"x".repeat(1024 * 1024 - 1)}\n` });

    expect([happened.length, lines]).toEqual([1, []]);
  });

  it("is dropped when it is longer, with an error but no failure", () => {
    const { happened, lines } = apply({ step_summary: "x".repeat(1024 * 1025) });

    expect(happened).toEqual([]);
    expect(lines).toEqual([
      "##[error]$GITHUB_STEP_SUMMARY upload aborted, supports content up to a size of 1024k, got 1025k. For more information see: https://docs.github.com/actions/using-workflows/workflow-commands-for-github-actions#adding-a-markdown-summary",
    ]);
  });
});
