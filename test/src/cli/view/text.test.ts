import { describe, expect, it } from "@jest/globals";
import { formatDuration } from "../../../../src/cli/view/duration.ts";
import { foldLog } from "../../../../src/cli/view/fold-log.ts";
import { LogTailKeeper } from "../../../../src/cli/view/log-tail.ts";
import { plainMarkdown } from "../../../../src/cli/view/plain-markdown.ts";
import { createStyle, safeLine, wantsColour } from "../../../../src/cli/view/style.ts";

const PLAIN = createStyle(false);
const COLOUR = createStyle(true);

it.each([
  [0, "0.0s"],
  [9_949, "9.9s"],
  [9_960, "10s"],
  [59_499, "59s"],
  [59_600, "1m 00s"],
  [65_000, "1m 05s"],
  [3_720_000, "1h 02m"],
])("writes %d ms as %s", (ms, text) => {
  expect(formatDuration(ms)).toBe(text);
});

describe("colour", () => {
  it.each([
    [{}, { isTTY: true }, true],
    [{}, { isTTY: false }, false],
    [{ NO_COLOR: "1" }, { isTTY: true }, false],
    [{ NO_COLOR: "" }, { isTTY: true }, true],
    [{ FORCE_COLOR: "1" }, {}, true],
    [{ FORCE_COLOR: "0" }, { isTTY: true }, false],
    [{ TERM: "dumb" }, { isTTY: true }, false],
  ])("with %j on %j is %s", (env, stream, expected) => {
    expect(wantsColour(env, stream)).toBe(expected);
  });
});

describe("a line from a job", () => {
  it("keeps its colours and loses what would move the cursor or set the title", () => {
    const line = "\u001b[31mred\u001b[0m\u001b[2J\u001b[5A\u001b]0;title\u0007\r\bx\tend";

    expect(safeLine(line, COLOUR)).toBe("\u001b[31mred\u001b[0mx\tend\u001b[0m");
    expect(safeLine(line, PLAIN)).toBe("redx\tend");
  });

  it("stays as it is when it is plain text", () => {
    expect(safeLine("naïve ✓ 日本", COLOUR)).toBe("naïve ✓ 日本");
  });
});

it("folds groups of a failed step, but not the one in which the error stands", () => {
  const lines = [
    "##[group]Install",
    "one",
    "two",
    "##[endgroup]",
    "between",
    "##[group]Test",
    "##[debug]hidden",
    "ok",
    "##[error]bad",
    "##[endgroup]",
  ];

  expect(foldLog({ lines, dropped: 3 }, PLAIN)).toEqual([
    "… 3 lines before are not shown; -v shows all",
    "▸ Install (2 lines)",
    "between",
    "▾ Test",
    "  ok",
    "  Error: bad",
  ]);
});

it("keeps the end of a long log and counts what it let go", () => {
  const keeper = new LogTailKeeper();

  for (let at = 0; at < 10_000; at += 1) keeper.add(String(at));

  expect(keeper.tail.lines.at(0)).toBe("8000");
  expect(keeper.tail.lines.at(-1)).toBe("9999");
  expect(keeper.tail.dropped).toBe(8000);
});

it("keeps at most half a million characters, a single huge line included", () => {
  const keeper = new LogTailKeeper();

  keeper.add("x".repeat(3_000_000));
  keeper.add("last");

  expect(keeper.tail.lines.join("").length).toBeLessThan(600_000);
  expect(keeper.tail.lines.at(-1)).toBe("last");
});

it("shows a step summary without its markdown", () => {
  const markdown = [
    "## Results **today**",
    "",
    "- [x] done",
    "- see [the page](https://example.org/a)",
    "",
    "| name | n |",
    "| :--- | --: |",
    "| one | 1 |",
    "| **seventeen** | 17 |",
    "",
    "```sh",
    "echo '**not bold**'",
    "```",
    "<details><summary>More</summary>text &amp; so on</details>",
  ].join("\n");

  expect(plainMarkdown(markdown, PLAIN)).toEqual([
    "Results today",
    "",
    "☑ done",
    "• see the page (https://example.org/a)",
    "",
    "name       n",
    "one        1",
    "seventeen  17",
    "",
    "    echo '**not bold**'",
    "Moretext & so on",
  ]);
});
