import { describe, expect, it } from "@jest/globals";
import { createLineSplitter } from "../../../runner/logs/split-lines.ts";

function split(chunks: readonly Buffer[], maxLineBytes?: number): string[] {
  const lines: string[] = [];
  const splitter = createLineSplitter({
    onLines: (text) => lines.push(...text.split("\n").slice(0, -1)),
    ...(maxLineBytes === undefined ? {} : { maxLineBytes }),
  });
  for (const chunk of chunks) splitter.write(chunk);
  splitter.end();
  return lines;
}

describe("splitting output into lines", () => {
  it.each([
    ["\n", "a\nb\n", ["a", "b"]],
    ["\r\n", "a\r\nb\r\n", ["a", "b"]],
    ["a lone \r", "10%\r20%\rdone\n", ["10%", "20%", "done"]],
    ["\n\r, which is two ends", "a\n\rb", ["a", "", "b"]],
    ["nothing after the last line", "a\nb", ["a", "b"]],
    ["empty lines", "\n\na\n\n", ["", "", "a", ""]],
    ["no output", "", []],
    ["characters of two to four bytes", "é✓😀\nß", ["é✓😀", "ß"]],
  ])("knows %j, however the bytes arrive", (_name, text, lines) => {
    const bytes = Buffer.from(text);

    expect(split([bytes])).toEqual(lines);
    expect(split([...bytes].map((byte) => Buffer.from([byte])))).toEqual(lines);
    for (let at = 0; at <= bytes.length; at++) {
      expect(split([bytes.subarray(0, at), bytes.subarray(at)])).toEqual(lines);
    }
  });

  it("shows bytes that are no UTF-8 as U+FFFD", () => {
    expect(split([Buffer.from([0x61, 0xff, 0x62, 0x0a, 0xc3])])).toEqual(["a\ufffdb", "\ufffd"]);
  });

  it("keeps NUL and other control characters", () => {
    expect(split([Buffer.from("a\0b\u001ec\n")])).toEqual(["a\0b\u001ec"]);
  });

  it("keeps a line of 1 MB whole", () => {
    const line = "x".repeat(1 << 20);
    const bytes = Buffer.from(`${line}\nend\n`);
    const chunks = Array.from({ length: 33 }, (_, i) => bytes.subarray(i << 15, (i + 1) << 15));

    expect(split(chunks)).toEqual([line, "end"]);
  });

  it("cuts longer lines between characters, without losing a byte", () => {
    const line = "é✓😀".repeat(100);
    for (const size of [1, 7, 64]) {
      const bytes = Buffer.from(line);
      const chunks: Buffer[] = [];
      for (let at = 0; at < bytes.length; at += size) chunks.push(bytes.subarray(at, at + size));

      const pieces = split(chunks, 50);

      expect(pieces.length).toBeGreaterThan(5);
      expect(pieces.join("")).toBe(line);
    }
  });
});
