import { describe, expect, it } from "@jest/globals";
import { createAnnotation } from "../../../runner/logs/annotation.ts";

function annotate(properties: { [name: string]: string }) {
  const problems: string[] = [];
  const { level, message, ...place } = createAnnotation("error", "m", {
    properties: new Map(Object.entries(properties).map(([k, v]) => [k.toLowerCase(), v])),
    workspace: "/__w/r/r",
    debug: (problem) => problems.push(problem),
  });
  return { place, problems: problems.length };
}

describe("an annotation's place", () => {
  it.each([
    [
      "all of it",
      { line: "1", endLine: "1", col: "2", endColumn: "3" },
      { startLine: 1, endLine: 1, startColumn: 2, endColumn: 3 },
      0,
    ],
    ["endLine alone is the line too", { endLine: "4" }, { startLine: 4, endLine: 4 }, 1],
    [
      "endColumn alone is the column too",
      { line: "1", endColumn: "4" },
      { startLine: 1, startColumn: 4, endColumn: 4 },
      1,
    ],
    ["no columns without a line", { col: "1", endColumn: "2" }, {}, 1],
    [
      "no columns over several lines",
      { line: "1", endLine: "2", col: "3" },
      { startLine: 1, endLine: 2 },
      1,
    ],
    ["lines the wrong way round", { line: "3", endLine: "2" }, {}, 1],
    ["columns the wrong way round", { line: "3", col: "5", endColumn: "2" }, { startLine: 3 }, 1],
    ["no numbers", { line: "x", col: "1.5" }, {}, 0],
    ["numbers that no line has", { line: "0" }, {}, 0],
    ["a title", { title: "T" }, { title: "T" }, 0],
    ["nothing for unknown properties", { colour: "red" }, {}, 0],
  ])("%s", (_name, properties: { [name: string]: string }, place, problems) => {
    expect(annotate(properties)).toEqual({ place, problems });
  });

  it.each([
    ["/__w/r/r/src/a.ts", "src/a.ts"],
    ["/__w/r/r/x/../src/a.ts", "src/a.ts"],
    ["src/a.ts", "src/a.ts"],
    ["/__w/r/rest/a.ts", "/__w/r/rest/a.ts"],
    ["/etc/passwd", "/etc/passwd"],
  ])("has %j as file %j", (file, shown) => {
    expect(annotate({ file }).place).toEqual({ file: shown });
  });
});
