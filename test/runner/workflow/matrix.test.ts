import { describe, expect, it } from "@jest/globals";
import type { Json } from "../../../runner/expressions/template.ts";
import { nameJob } from "../../../runner/workflow/job-name.ts";
import { expandMatrix } from "../../../runner/workflow/matrix.ts";

function legs(matrix: Json): Json[] {
  return expandMatrix(matrix).map((leg) => leg.matrix);
}

function names(matrix: Json): string[] {
  return expandMatrix(matrix).map((leg) => nameJob("job", undefined, leg.named));
}

describe("a matrix", () => {
  it.each<[string, Json, Json[]]>([
    [
      "varies the last key fastest",
      { a: [1, 2], b: ["x", "y"] },
      [
        { a: 1, b: "x" },
        { a: 1, b: "y" },
        { a: 2, b: "x" },
        { a: 2, b: "y" },
      ],
    ],
    [
      "takes values of any type",
      { a: [null, true, { n: [1] }, [2]] },
      [{ a: null }, { a: true }, { a: { n: [1] } }, { a: [2] }],
    ],
    [
      "drops what exclude names",
      { a: [1, 2], b: [3, 4], exclude: [{ a: 1, b: 3 }] },
      [
        { a: 1, b: 4 },
        { a: 2, b: 3 },
        { a: 2, b: 4 },
      ],
    ],
    [
      "drops all that an entry with fewer keys matches",
      { a: [1, 2], b: [3, 4], exclude: [{ a: 1 }] },
      [
        { a: 2, b: 3 },
        { a: 2, b: 4 },
      ],
    ],
    [
      "compares excluded values as == does",
      { a: [4, "X"], exclude: [{ a: "4" }, { a: "x" }], include: [{ a: 9 }] },
      [{ a: 9 }],
    ],
    [
      "compares nested values leaf by leaf, those listed only",
      {
        a: [
          { os: "l", v: 1 },
          { os: "l", v: 2 },
        ],
        exclude: [{ a: { v: 1 } }],
      },
      [{ a: { os: "l", v: 2 } }],
    ],
    ["compares keys ignoring case", { Os: ["l", "w"], exclude: [{ os: "l" }] }, [{ Os: "w" }]],
    [
      "adds extras of an include without vector keys to all",
      { a: [1, 2], include: [{ x: 9 }] },
      [
        { a: 1, x: 9 },
        { a: 2, x: 9 },
      ],
    ],
    [
      "adds extras where the vector keys match",
      { a: [1, 2], include: [{ a: 2, x: 9 }] },
      [{ a: 1 }, { a: 2, x: 9 }],
    ],
    [
      "lets a later include overwrite extras, never original values",
      { a: [1], include: [{ x: 1 }, { x: 2 }, { a: 3, x: 3 }] },
      [
        { a: 1, x: 2 },
        { a: 3, x: 3 },
      ],
    ],
    [
      "appends an include that matches nothing, in order, filter keys first",
      { a: [1], include: [{ x: 5, a: 2 }, { a: 3 }] },
      [{ a: 1 }, { a: 2, x: 5 }, { a: 3 }],
    ],
    [
      "appends an include whose matches were all excluded",
      { a: [1, 2], exclude: [{ a: 2 }], include: [{ a: 2, x: 1 }] },
      [{ a: 1 }, { a: 2, x: 1 }],
    ],
    [
      "does not match an include against an appended one",
      { fruit: ["apple"], include: [{ fruit: "banana" }, { fruit: "banana", animal: "cat" }] },
      [{ fruit: "apple" }, { fruit: "banana" }, { fruit: "banana", animal: "cat" }],
    ],
    ["can consist of includes only", { include: [{ a: 1 }, { b: 2 }] }, [{ a: 1 }, { b: 2 }]],
    [
      "of the documentation's example",
      {
        fruit: ["apple", "pear"],
        animal: ["cat", "dog"],
        include: [
          { color: "green" },
          { color: "pink", animal: "cat" },
          { fruit: "apple", shape: "circle" },
          { fruit: "banana" },
          { fruit: "banana", animal: "cat" },
        ],
      },
      [
        { fruit: "apple", animal: "cat", color: "pink", shape: "circle" },
        { fruit: "apple", animal: "dog", color: "green", shape: "circle" },
        { fruit: "pear", animal: "cat", color: "pink" },
        { fruit: "pear", animal: "dog", color: "green" },
        { fruit: "banana" },
        { fruit: "banana", animal: "cat" },
      ],
    ],
    [
      "takes a null include and exclude as none",
      { a: [1], include: null, exclude: null },
      [{ a: 1 }],
    ],
    [
      "may have 256 legs",
      { a: Array(16).fill(0), b: Array(16).fill(0) },
      Array(256).fill({ a: 0, b: 0 }),
    ],
    [
      "may have more than 256 combinations when exclude takes enough away",
      { a: [1, 2], b: [...Array(200).keys()], exclude: [{ a: 2 }] },
      [...Array(200).keys()].map((b) => ({ a: 1, b })),
    ],
  ])("%s", (_title, matrix, expected) => {
    expect(legs(matrix)).toEqual(expected);
  });

  it.each<[string, Json, string]>([
    ["that is a text", "x", "The matrix is not a mapping"],
    ["with nothing in it", {}, "Matrix must define at least one vector"],
    ["with an empty include only", { include: [] }, "Matrix must define at least one vector"],
    ["with an empty vector", { a: [] }, "Matrix vector 'a' does not contain any values"],
    ["with a vector that is no list", { a: 1 }, "Matrix vector 'a' is not a list"],
    [
      "that excludes by an unknown key",
      { a: [1], exclude: [{ b: 1 }] },
      "Matrix exclude key 'b' does not match any key within the matrix",
    ],
    [
      "that excludes by nothing",
      { a: [1], exclude: [{}] },
      "Matrix exclude entry does not contain any values",
    ],
    [
      "that includes nothing",
      { a: [1], include: [{}] },
      "Matrix include entry does not contain any values",
    ],
    ["that includes a text", { a: [1], include: ["x"] }, "Matrix include entries must be mappings"],
    [
      "that excludes everything",
      { a: [1], exclude: [{ a: 1 }] },
      "The matrix excludes all of its combinations",
    ],
    [
      "of 257 legs",
      { a: Array(257).fill(0) },
      "The matrix makes 257 jobs, more than the 256 allowed",
    ],
    [
      "too large to be multiplied out",
      Object.fromEntries([..."abcdef"].map((key) => [key, Array(20).fill(0)])),
      "more than the 256 allowed",
    ],
  ])("%s is refused", (_title, matrix, message) => {
    expect(() => expandMatrix(matrix)).toThrow(message);
  });
});

describe("a job's name", () => {
  it.each<[string, Json, string[]]>([
    [
      "shows the values in order",
      { os: ["linux"], v: [1.5, true] },
      ["job (linux, 1.5)", "job (linux, true)"],
    ],
    [
      "leaves out nulls and empty values",
      { a: [null, "", "x"], b: [1] },
      ["job (1)", "job (1)", "job (x, 1)"],
    ],
    ["shows the leaves of nested values", { a: [{ os: "l", v: [1, 2] }] }, ["job (l, 1, 2)"]],
    ["does not show extras of an include", { a: [1], include: [{ x: 9 }] }, ["job (1)"]],
    [
      "shows all of an appended include",
      { a: [1], include: [{ a: 2, x: 9 }] },
      ["job (1)", "job (2, 9)"],
    ],
    ["is the id where there is nothing to show", { a: [null] }, ["job"]],
  ])("%s", (_title, matrix, expected) => {
    expect(names(matrix)).toEqual(expected);
  });

  it("has a suffix when it holds no expression, none when it does, and is never empty", () => {
    const named = { v: 1 };

    expect(nameJob("id", { text: "Name", isEvaluated: false }, named)).toBe("Name (1)");
    expect(nameJob("id", { text: "Name", isEvaluated: true }, named)).toBe("Name");
    expect(nameJob("id", { text: "", isEvaluated: true }, named)).toBe("id (1)");
    expect(nameJob("id", { text: "", isEvaluated: false }, undefined)).toBe("id");
  });

  it("is cut at 100 characters", () => {
    expect(nameJob("id", undefined, { v: "x".repeat(94) })).toHaveLength(99);
    expect(nameJob("id", undefined, { v: "x".repeat(96) })).toBe(`id (${"x".repeat(93)}...`);
  });
});
