import { describe, expect, it } from "@jest/globals";
import { readEnvFile, readPathFile } from "../../../runner/commands/env-file.ts";

const emptyName = (line: string) =>
  `Invalid format '${line}'. Name must not be empty and delimiter must not be empty`;

describe("a command file", () => {
  it.each([
    ["nothing", "", []],
    ["empty lines", "\n\n", []],
    ["a pair", "A=b\n", [["A", "b"]]],
    ["a pair without end of line", "A=b", [["A", "b"]]],
    ["an empty value", "A=\n", [["A", ""]]],
    ["equals signs in the value", "A=b=c==\n", [["A", "b=c=="]]],
    ["arrows in the value", "A=b<<EOF\n", [["A", "b<<EOF"]]],
    [
      "names as they are",
      "A =x\n B= y \n",
      [
        ["A ", "x"],
        [" B", " y "],
      ],
    ],
    ["a CR as part of the value", "A=b\r\n", [["A", "b\r"]]],
    ["a block", "A<<EOF\none\ntwo\nEOF\n", [["A", "one\ntwo"]]],
    ["a block whose last line lacks its end", "A<<EOF\none\nEOF", [["A", "one"]]],
    ["an empty block", "A<<EOF\nEOF\n", [["A", ""]]],
    ["a block of empty lines", "A<<EOF\n\n\nEOF\n", [["A", "\n"]]],
    ["a delimiter with blanks", "A<< E F \nx\n E F \n", [["A", "x"]]],
    [
      "only a line equal to the delimiter",
      "A<<EOF\n EOF\nEOFF\nEOF\r\nEOF\n",
      [["A", " EOF\nEOFF\nEOF\r"]],
    ],
    [
      "pairs within a block as text",
      "A<<E\nB=c\nE\nD=e\n",
      [
        ["A", "B=c"],
        ["D", "e"],
      ],
    ],
    ["an equals sign in the delimiter", "A<<E=F\nx\nE=F\n", [["A", "x"]]],
    ["arrows in the delimiter", "A<<<<B\nx\n<<B\n", [["A", "x"]]],
    [
      "the same name twice",
      "A=1\nA=2\n",
      [
        ["A", "1"],
        ["A", "2"],
      ],
    ],
    ["long values", `A=${"x".repeat(100_000)}\n`, [["A", "x".repeat(100_000)]]],
  ])("holds %s", (_name, text, pairs) => {
    expect(readEnvFile(text)).toEqual({ pairs });
  });

  it.each([
    ["neither sign", "what\n", "Invalid format 'what'"],
    ["no name", "=x\n", emptyName("=x")],
    ["no name before arrows", "<<EOF\nx\nEOF\n", emptyName("<<EOF")],
    ["no delimiter", "A<<\nx\n\n", emptyName("A<<")],
    ["no end of the block", "A<<EOF\nx\n", "Invalid value. Matching delimiter not found 'EOF'"],
    ["nothing after the arrows", "A<<EOF", "Invalid value. Matching delimiter not found 'EOF'"],
    ["no end of the last line", "A<<EOF\nx", "Invalid value. EOF marker missing new line."],
    [
      "a delimiter with CR, its end without",
      "A<<EOF\r\nx\r\nEOF\n",
      "Invalid value. Matching delimiter not found 'EOF\r'",
    ],
  ])("is wrong with %s", (_name, text, error) => {
    expect(readEnvFile(text)).toEqual({ pairs: [], error });
  });

  it("keeps what stands before a bad line, and nothing after it", () => {
    expect(readEnvFile("A=1\nbad\nB=2\n")).toEqual({
      pairs: [["A", "1"]],
      error: "Invalid format 'bad'",
    });
  });

  it("holds one directory a line in GITHUB_PATH, whatever ends the line", () => {
    expect(readPathFile("/a\r\n\n/b c\r $HOME/x\n/last")).toEqual([
      "/a",
      "/b c",
      " $HOME/x",
      "/last",
    ]);
  });
});
