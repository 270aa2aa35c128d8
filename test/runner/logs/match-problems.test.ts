import { describe, expect, it } from "@jest/globals";
import { createLineMatcher, createMatcherRegistry } from "../../../runner/logs/match-problems.ts";
import { parseMatcherFile } from "../../../runner/logs/problem-matcher.ts";

type Pattern = { [key: string]: unknown };

function fileOf(...matchers: { owner?: unknown; severity?: unknown; pattern?: unknown }[]): string {
  return JSON.stringify({ problemMatcher: matchers });
}

function matcherFor(
  pattern: Pattern[],
  options: { severity?: string; fromPath?: string; owner?: string } = {},
) {
  const registry = createMatcherRegistry();
  registry.add(parseMatcherFile(fileOf({ owner: "x", pattern, ...options })));
  return createLineMatcher({
    registry,
    resolveFile: (file, from) => (from ? `${from}:${file}` : file),
  });
}

const ONE: Pattern = {
  regexp: "^([^:]*):(\\w*):(\\w*):(\\w*): (.*)$",
  file: 1,
  line: 2,
  column: 3,
  severity: 4,
  message: 5,
};

describe("a problem matcher file", () => {
  const pattern = [{ regexp: "(a)", message: 1 }];
  it.each([
    ["no JSON", "{", /JSON/],
    ["no object", "[]", "Expected an object, got []"],
    ["no owner", fileOf({ pattern }), "Owner must not be empty"],
    [
      "an owner twice",
      fileOf({ owner: "a", pattern }, { owner: "A", pattern }),
      "Duplicate owner name 'A'",
    ],
    [
      "an unknown severity",
      fileOf({ owner: "a", severity: "fatal", pattern }),
      "Matcher 'a' contains unexpected default severity 'fatal'",
    ],
    [
      "no pattern",
      fileOf({ owner: "a", pattern: [] }),
      "Matcher 'a' does not contain any patterns",
    ],
    [
      "no message",
      fileOf({ owner: "a", pattern: [{ regexp: "(a)", file: 1 }] }),
      "At least one pattern must set 'message'",
    ],
    [
      "a group out of range",
      fileOf({ owner: "a", pattern: [{ regexp: "(a)", message: 2 }] }),
      "The property 'message' is set to 2 which is out of range",
    ],
    [
      "a property twice",
      fileOf({ owner: "a", pattern: [...pattern, ...pattern] }),
      "The property 'message' is set twice",
    ],
    [
      "a loop in its only pattern",
      fileOf({ owner: "a", pattern: [{ regexp: "a", message: 0, loop: true }] }),
      "Only the last pattern in a multiline matcher may set 'loop'",
    ],
    [
      "a loop before the last pattern",
      fileOf({
        owner: "a",
        pattern: [{ regexp: "a" }, { regexp: "a", message: 0, loop: true }, { regexp: "a" }],
      }),
      "Only the last pattern in a multiline matcher may set 'loop'",
    ],
    [
      "a loop without message",
      fileOf({
        owner: "a",
        pattern: [
          { regexp: "a", message: 0 },
          { regexp: "b", loop: true },
        ],
      }),
      "The loop pattern must set 'message'",
    ],
    [
      "a pattern that is none",
      fileOf({ owner: "a", pattern: [{ regexp: "(", message: 0 }] }),
      /Invalid regular expression/,
    ],
  ])("is refused with %s", (_name, text, message) => {
    expect(() => parseMatcherFile(text)).toThrow(message);
  });

  it("may name the severity in any case, take the whole match, and begin with a BOM", () => {
    const text = fileOf({
      owner: "a",
      severity: "WARNING",
      pattern: [{ regexp: "a", message: 0 }],
    });

    expect(parseMatcherFile(`\ufeff${text}`)).toMatchObject([{ owner: "a", severity: "WARNING" }]);
  });

  it("may hold no matcher at all", () => {
    expect(parseMatcherFile("{}")).toEqual([]);
  });
});

describe("matching a line", () => {
  it.each([
    [
      "all properties",
      "a.c:1:2:warning: oops",
      { level: "warning", file: "a.c", startLine: 1, startColumn: 2, message: "oops" },
    ],
    [
      "any case of the severity",
      "a.c:1:2:NOTICE: oops",
      { level: "notice", file: "a.c", startLine: 1, startColumn: 2, message: "oops" },
    ],
    [
      "error without severity",
      "a.c:1:2:: oops",
      { level: "error", file: "a.c", startLine: 1, startColumn: 2, message: "oops" },
    ],
    ["only digits as numbers", "a.c:1a:x:: oops", { level: "error", file: "a.c", message: "oops" }],
    ["no file", ":1:2:: oops", { level: "error", startLine: 1, startColumn: 2, message: "oops" }],
  ])("yields %s", (_name, line, annotation) => {
    expect(matcherFor([ONE]).match([line])).toEqual([{ index: 0, annotation, line }]);
  });

  it.each([
    ["an unknown severity", "a.c:1:2:fatal: oops"],
    ["an empty message", "a.c:1:2:error:  "],
    ["no match", "all is well"],
  ])("yields nothing for %s", (_name, line) => {
    expect(matcherFor([ONE]).match([line])).toEqual([]);
  });

  it("takes the matcher's severity and path where the line has none", () => {
    const matcher = matcherFor([ONE], { severity: "warning", fromPath: "p/x.csproj" });

    expect(matcher.match(["a.c:1:2:: oops"])[0]?.annotation).toMatchObject({
      level: "warning",
      file: "p/x.csproj:a.c",
    });
  });

  it("takes no notice of colours, and shows the line without them", () => {
    const [found] = matcherFor([ONE]).match(["\u001b[1;31ma.c\u001b[0m:1:2:: oops\u001b[m"]);

    expect(found).toMatchObject({ line: "a.c:1:2:: oops", annotation: { message: "oops" } });
  });

  it("lets the first matcher win that yields something, the newest first", () => {
    const registry = createMatcherRegistry();
    const matcher = createLineMatcher({ registry, resolveFile: (file) => file });
    const levels = () => matcher.match(["a"]).map(({ annotation }) => annotation.level);

    registry.add(
      parseMatcherFile(
        fileOf({ owner: "old", severity: "notice", pattern: { regexp: "a", message: 0 } }),
      ),
    );
    const first = levels();
    registry.add(
      parseMatcherFile(
        fileOf({ owner: "new", severity: "warning", pattern: { regexp: "a", message: 0 } }),
      ),
    );
    const second = levels();
    registry.add(
      parseMatcherFile(
        fileOf({ owner: "NEW", severity: "error", pattern: { regexp: "b", message: 0 } }),
      ),
    );
    const third = levels();
    registry.remove(["OLD"]);

    expect([first, second, third, levels()]).toEqual([["notice"], ["warning"], ["notice"], []]);
  });

  it("drops a file that cannot be found", () => {
    const registry = createMatcherRegistry();
    registry.add(parseMatcherFile(fileOf({ owner: "x", pattern: [ONE] })));
    const matcher = createLineMatcher({ registry, resolveFile: () => undefined });

    expect(matcher.match(["a.c:1:2:: oops"])[0]?.annotation).toEqual({
      level: "error",
      message: "oops",
      startLine: 1,
      startColumn: 2,
    });
  });
});

describe("matching several lines", () => {
  const messages = (pattern: Pattern[], lines: string[]) =>
    matcherFor(pattern)
      .match(lines)
      .map(({ index, annotation }) => [index, annotation.file, annotation.message]);
  const file = { regexp: "^file (.*)$", file: 1 };
  const more = { regexp: "^more$" };
  const message = { regexp: "^- (.*)$", message: 1 };

  it("needs one line after another", () => {
    expect(messages([file, message], ["file a", "- m", "- n"])).toEqual([[1, "a", "m"]]);
    expect(messages([file, message], ["file a", "other", "- m"])).toEqual([]);
    expect(messages([file, more, message], ["file a", "more", "- m"])).toEqual([[2, "a", "m"]]);
    expect(messages([file, more, message], ["file a", "- m"])).toEqual([]);
    expect(messages([file, message], ["- m"])).toEqual([]);
  });

  it("starts again with a line that matches the first pattern", () => {
    expect(messages([file, message], ["file a", "file b", "- m"])).toEqual([[2, "b", "m"]]);
  });

  it("yields one for each line while the last pattern loops", () => {
    const loop = { ...message, loop: true };
    const lines = ["file a", "- 1", "- 2", "", "- 3", "file b", "- 4"];

    expect(messages([file, loop], lines)).toEqual([
      [1, "a", "1"],
      [2, "a", "2"],
      [6, "b", "4"],
    ]);
  });

  it("goes on where the lines before ended", () => {
    const matcher = matcherFor([file, message]);

    expect(matcher.match(["file a"])).toEqual([]);
    expect(matcher.match(["- m"])).toMatchObject([{ annotation: { file: "a", message: "m" } }]);
  });

  it("forgets what other matchers have begun when one yields something", () => {
    const registry = createMatcherRegistry();
    registry.add(
      parseMatcherFile(
        fileOf(
          { owner: "two", pattern: [file, message] },
          { owner: "one", pattern: [{ regexp: "^file (.*)$", message: 1 }] },
        ),
      ),
    );
    const matcher = createLineMatcher({ registry, resolveFile: (name) => name });

    expect(matcher.match(["file a", "- m"]).map(({ index }) => index)).toEqual([0]);
  });
});

it("removes a matcher that three times takes too long for a line, and finds what others find", () => {
  const registry = createMatcherRegistry();
  registry.add(
    parseMatcherFile(
      fileOf(
        { owner: "slow", pattern: { regexp: "^(a+)+$", message: 0 } },
        { owner: "quick", pattern: { regexp: "^.*[b!]$", message: 0 } },
      ),
    ),
  );
  const matcher = createLineMatcher({ registry, resolveFile: (file) => file, timeoutMs: 30 });

  const found = matcher.match(["first!", `${"a".repeat(60)}b`, "last!"]);

  expect(found.map(({ index, annotation }) => [index, annotation.level])).toEqual([
    [0, "error"],
    [1, "warning"],
    [1, "error"],
    [2, "error"],
  ]);
  expect(found[1]?.annotation.message).toMatch(
    /^Removing issue matcher 'slow'\. Matcher failed 3 times\. Error: /,
  );
  expect(registry.matchers.map(({ owner }) => owner)).toEqual(["quick"]);
});
