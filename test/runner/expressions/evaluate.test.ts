import { describe, expect, it } from "@jest/globals";
import {
  evaluateCondition,
  evaluateExpression,
  evaluateTemplate,
  type Scope,
  toText,
} from "../../../runner/expressions/evaluate.ts";
import type { Json, Template } from "../../../runner/expressions/template.ts";

const CONTEXTS: { readonly [name: string]: Json } = {
  github: { ref: "refs/heads/main", event: { commits: [{ id: "a" }, { id: "b" }, "no object"] } },
  env: { Path: "x", PATH: "y" },
  matrix: { os: "linux", versions: [1, 2, 3], nested: [[1, 2], [3]], none: null },
  steps: {},
};

function scope(extra: Partial<Scope> = {}): Scope {
  return { contexts: CONTEXTS, ...extra };
}

const jobStatus = (status: "success" | "failure" | "cancelled") => ({
  success: () => status === "success",
  failure: () => status === "failure",
  cancelled: () => status === "cancelled",
});

describe("the value of an expression", () => {
  it.each<[string, Json]>([
    // Literals
    ["null", null],
    ["true", true],
    ["-1.5e3", -1500],
    ["0xff", 255],
    ["0xFFFFFFFF", -1],
    ["0o17", 15],
    [".5", 0.5],
    ["Infinity", Number.POSITIVE_INFINITY],
    ["-Infinity", Number.NEGATIVE_INFINITY],
    ["'it''s 5 o''clock'", "it's 5 o'clock"],
    ["''''", "'"],
    ["'two\nlines'", "two\nlines"],
    // Operators
    ["!true", false],
    ["!''", true],
    ["1 < 2", true],
    ["2 <= 2 && 3 > 2 && 3 >= 3", true],
    ["'a' || 'b'", "a"],
    ["'' || 'b'", "b"],
    ["'a' && 'b'", "b"],
    ["0 && 'b'", 0],
    ["false || null", null],
    ["true && false || 'x'", "x"],
    ["1 == 1 == true", true],
    ["(true || false) && false", false],
    ["false && fromJSON('no json')", false],
    // Equality and its conversions
    ["'abc' == 'ABC'", true],
    ["'abc' != 'ABC'", false],
    ["'' == 0", true],
    ["null == 0", true],
    ["null == ''", true],
    ["true == '1'", true],
    ["true == 'true'", false],
    ["'abc' == 0", false],
    ["' 12 ' == 12", true],
    ["'0x10' == 16", true],
    ["'0b1' == 1", false],
    ["'1_0' == 10", false],
    ["'+0x10' == 16", false],
    ["'0xFFFFFFFFF' == 68719476735", false],
    ["NaN == NaN", false],
    ["NaN < 1", false],
    ["'a' < 'B'", true],
    ["'b' > 'A'", true],
    ["false < true", true],
    ["github == github", true],
    ["github.event == github.event", true],
    ["github.event == matrix", false],
    ["github.event == 'Object'", false],
    ["matrix.versions == matrix.versions", true],
    // Index, dereference, filter
    ["github.ref", "refs/heads/main"],
    ["GitHub.REF", "refs/heads/main"],
    ["github['ref']", "refs/heads/main"],
    ["github.missing", null],
    ["github.missing.deeper", null],
    ["github.constructor", null],
    ["github.__proto__", null],
    ["github.ref.deeper", null],
    ["matrix.versions[0]", 1],
    ["matrix.versions[1.9]", 2],
    ["matrix.versions['2']", 3],
    ["matrix.versions[-1]", null],
    ["matrix.versions[3]", null],
    ["matrix.versions['x']", null],
    ["matrix[matrix.none]", null],
    ["github.event.commits.*.id", ["a", "b"]],
    ["github.event.commits[*]['id']", ["a", "b"]],
    ["matrix.nested.*.*", [1, 2, 3]],
    ["matrix.nested.*[1]", [2]],
    ["matrix.os.*", []],
    ["matrix.none.*", []],
    ["join(matrix.*)", "linux,Array,Array,"],
    ["env.Path", "x"],
    ["env.PATH", "y"],
    ["env.path", null],
    // Functions
    ["contains('Hello', 'ELL')", true],
    ["contains(123, 2)", true],
    ["contains(matrix.versions, '2')", true],
    ["contains(matrix.versions, 4)", false],
    ["contains(matrix, 'os')", false],
    ["contains(github.event.commits.*.id, 'B')", true],
    ["CONTAINS('ab', 'b')", true],
    ["startsWith('Hello', 'he')", true],
    ["startsWith(matrix, 'he')", false],
    ["endsWith('Hello', 'LO')", true],
    ["endsWith(12, 2)", true],
    ["format('{0} {1} {0}', 'a', 2)", "a 2 a"],
    ["format('{{0}} {0}', 'a')", "{0} a"],
    ["format('{{{0}}}', 'a')", "{a}"],
    ["format('{0}{1}{2}{3}', null, true, matrix, matrix.versions)", "trueObjectArray"],
    ["format('plain')", "plain"],
    ["join(matrix.versions)", "1,2,3"],
    ["join(matrix.versions, ' - ')", "1 - 2 - 3"],
    ["join(matrix.versions, matrix)", "1,2,3"],
    ["join(matrix.nested)", "Array,Array"],
    ["join('text', '-')", "text"],
    ["join(matrix)", ""],
    ["toJSON(null)", "null"],
    ["toJSON('é\"\n')", '"é\\"\\n"'],
    ["toJSON(1.50)", "1.5"],
    ["toJSON(fromJSON('[]'))", "[]"],
    ["toJSON(fromJSON('{}'))", "{}"],
    [
      'toJSON(fromJSON(\'{"b":[1,{"c":null}],"a":true}\'))',
      '{\n  "b": [\n    1,\n    {\n      "c": null\n    }\n  ],\n  "a": true\n}',
    ],
    ['toJSON(fromJSON(\'{"10":1,"9":2}\'))', '{\n  "10": 1,\n  "9": 2\n}'],
    ["toJSON(github.event.commits.*.id)", '[\n  "a",\n  "b"\n]'],
    ["fromJSON('4') == 4", true],
    ["fromJSON('true')", true],
    ["fromJSON(' [1, 2] trailing')", [1, 2]],
    ['fromJSON(\'/* c */ {"a": 1, // d\n "b": [2,]}\')', { a: 1, b: [2] }],
    ["fromJSON('{''a'': ''b'', c: 1}')", { a: "b", c: 1 }],
    ["fromJSON('\"2020-01-01T00:00:00Z\"')", "2020-01-01T00:00:00Z"],
    ["fromJSON('\"\\u0041\\n\"')", "A\n"],
    ['fromJSON(\'{"A": 1, "a": 2}\').a', 2],
    ["case(false, 'a', true, 'b', 'c')", "b"],
    ["case(false, 'a', 'c')", "c"],
    ["case(true, 'a', fromJSON('no json'))", "a"],
    ["case(false, fromJSON('no json'), 'c')", "c"],
  ])("%s", async (expression, value) => {
    const result = await evaluateExpression(expression, scope());

    expect(result).toEqual(value);
  });

  it.each([
    [0, "0"],
    [-0, "0"],
    [1.1, "1.1"],
    [0.1 + 0.2, "0.3"],
    [1 / 3, "0.333333333333333"],
    [100, "100"],
    [999999999999999, "999999999999999"],
    [1e15, "1E+15"],
    [123456789012345680, "1.23456789012346E+17"],
    [1e21, "1E+21"],
    [-2.5e-7, "-2.5E-07"],
    [0.0001, "0.0001"],
    [0.00001, "1E-05"],
    [Number.NaN, "NaN"],
    [Number.NEGATIVE_INFINITY, "-Infinity"],
  ])("prints the number %d as %s", (number, text) => {
    expect(toText(number)).toBe(text);
  });

  it("asks for a context only when an expression names it", async () => {
    let asked = 0;
    const secrets = () => {
      asked++;
      return { TOKEN: "x" };
    };

    await evaluateExpression("github.ref", { contexts: { ...CONTEXTS, secrets } });
    expect(asked).toBe(0);
    expect(await evaluateExpression("secrets.token", { contexts: { ...CONTEXTS, secrets } })).toBe(
      "x",
    );
  });
});

describe("an expression that is wrong", () => {
  it.each([
    [
      "unknown.x",
      "Unrecognized named-value: 'unknown'. Located at position 1 within expression: unknown.x",
    ],
    ["True", "Unrecognized named-value: 'True'"],
    ["nope(1)", "Unrecognized function: 'nope'"],
    ["constructor('x')", "Unrecognized function: 'constructor'"],
    ["success()", "Unrecognized function: 'success'"],
    ["hashFiles('x')", "Unrecognized function: 'hashFiles'"],
    ["contains('a')", "Too few parameters supplied: 'contains'"],
    ["contains('a', 'b', 'c')", "Too many parameters supplied: 'contains'"],
    ["case(true, 1)", "Too few parameters supplied"],
    ["case(true, 1, false, 2)", "Even number of parameters supplied"],
    ["case('yes', 1, 2)", "case predicate must evaluate to a boolean value"],
    ["1 +", "Unexpected symbol: '+'"],
    ["0b1", "Unexpected symbol: '0b1'"],
    ["'open", "Unexpected symbol: ''open'"],
    ["github.", "Unexpected"],
    ["(true", "Unexpected end of expression"],
    ["", "An expression was expected"],
    ["github.ref 'x'", "Unexpected symbol"],
    ["format('{0:x}', 1)", "The following format string is invalid: {0:x}"],
    ["format('{', 1)", "The following format string is invalid: {"],
    ["format('{1}', 1)", "references more arguments than were supplied"],
    ["format('{256}', 1)", "The following format string is invalid"],
    ["fromJSON('{')", "Error parsing fromJson"],
    ["fromJSON('')", "Error parsing fromJson"],
    ["fromJSON('\"open')", "Error parsing fromJson"],
    [`'${"x".repeat(21_001)}'`, "Exceeded max expression length 21000"],
    [`${"(".repeat(51)}1${")".repeat(51)}`, "Exceeded max expression depth 50"],
  ])("%.40s says why", async (expression, message) => {
    await expect(evaluateExpression(expression, scope())).rejects.toMatchObject({
      code: "WORKFLOW_INVALID",
      message: expect.stringContaining(message),
    });
  });

  it("is named with its place in the file", async () => {
    const at = { file: "ci.yml", line: 3, column: 9 };

    await expect(evaluateExpression("fromJSON('x')", scope(), at)).rejects.toThrow(
      "ci.yml:3:9: Error parsing fromJson (in ${{ fromJSON('x') }})",
    );
  });
});

describe("a condition", () => {
  it.each([
    ["'false'", true],
    ["'0'", true],
    ["matrix", true],
    ["matrix.os.*", true],
    ["0", false],
    ["-0", false],
    ["NaN", false],
    ["''", false],
    ["null", false],
    ["success()", true],
    ["Success()", true],
    ["failure() || cancelled()", false],
    ["always()", true],
    ["!cancelled()", true],
  ])("%s is %s", async (condition, holds) => {
    expect(await evaluateCondition(condition, scope({ status: jobStatus("success") }))).toBe(holds);
  });
});

describe("hashFiles", () => {
  it("is computed once for each set of patterns, only when it is reached", async () => {
    const asked: (readonly string[])[] = [];
    const hashFiles = async (patterns: readonly string[]) => {
      asked.push(patterns);
      return `hash-${patterns.join("+")}`;
    };
    const expression =
      "format('{0} {1} {2}', hashFiles('a', 'b'), hashFiles('a', 'b'), fromJSON('{\"hash-c\":1}')[hashFiles('c')])";

    const value = await evaluateExpression(
      `false && hashFiles('never') || ${expression}`,
      scope({ hashFiles }),
    );

    expect(value).toBe("hash-a+b hash-a+b 1");
    expect(asked).toEqual([["a", "b"], ["c"]]);
  });

  it("takes its patterns from expressions", async () => {
    const hashFiles = async ([pattern]: readonly string[]) => pattern ?? "";

    expect(await evaluateExpression("hashFiles(matrix.os)", scope({ hashFiles }))).toBe("linux");
  });
});

describe("a template", () => {
  const cases: [string, Template, Json][] = [
    ["keeps what holds no expression", { seq: [1, "a", true, null] }, [1, "a", true, null]],
    ["keeps the type of a value", { map: [["v", { expr: "matrix.versions" }]] }, { v: [1, 2, 3] }],
    ["makes text of mixed text", { expr: "format('a{0}b', matrix.versions[0])" }, "a1b"],
    ["evaluates keys", { map: [[{ expr: "matrix.os" }, 1]] }, { linux: 1 }],
    ["spreads an array into its sequence", { seq: [0, { expr: "matrix.versions" }] }, [0, 1, 2, 3]],
    ["keeps a nested literal sequence", { seq: [{ seq: [1] }] }, [[1]]],
    [
      "writes keys that are numbers as text",
      {
        map: [
          [1.1, "x"],
          [true, "y"],
        ],
      },
      { "1.1": "x", true: "y" },
    ],
    [
      "merges what ${{ insert }} brings",
      {
        map: [
          ["a", 1],
          [{ insert: true }, { map: [["b", 2]] }],
          [{ insert: true }, { expr: "fromJSON('{\"c\": 3}')" }],
        ],
      },
      { a: 1, b: 2, c: 3 },
    ],
  ];
  it.each(cases)("%s", async (_title, template, value) => {
    expect(await evaluateTemplate(template, scope())).toEqual(value);
  });

  const refused: [string, Template, string][] = [
    [
      "a key given twice",
      {
        map: [
          ["a", 1],
          [{ expr: "'A'" }, 2],
        ],
      },
      "'A' is already defined",
    ],
    [
      "an inserted key given twice",
      {
        map: [
          ["a", 1],
          [{ insert: true }, { map: [["A", 2]] }],
        ],
      },
      "'A' is already defined",
    ],
    ["a key that is no string", { map: [[{ expr: "1" }, 1]] }, "A key must be a string"],
    ["an insert of no mapping", { map: [[{ insert: true }, { seq: [] }]] }, "needs a mapping"],
  ];
  it.each(refused)("refuses %s", async (_title, template, message) => {
    await expect(evaluateTemplate(template, scope())).rejects.toThrow(message);
  });
});
