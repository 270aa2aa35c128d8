import { describe, expect, it } from "@jest/globals";
import { type Block, readBlocks, readFrames } from "../../../runner/shell/frames.ts";

const NONCE = "abc123";

/** What a reader makes of chunks: output as text, frames in angle brackets. */
function readAll(chunks: readonly Buffer[]): string {
  let seen = "";
  const read = readFrames(NONCE, {
    onBytes: (bytes) => {
      seen += bytes.toString("latin1");
    },
    onFrame: (words) => {
      seen += `<${words.join(" ")}>`;
    },
  });
  for (const chunk of chunks) read(chunk);
  return seen;
}

describe("a frame", () => {
  const stream = Buffer.from(
    "out\x1eput\x1eabc12 no\n\x1e\x1eabc123 begin 1 2\nmore\x1eabc123 end 1 0 ok 0\n\x1eabc123x\n",
    "latin1",
  );
  const seen = "out\x1eput\x1eabc12 no\n\x1e<begin 1 2>more<end 1 0 ok 0>\x1eabc123x\n";

  it("is found wherever it stands, and everything else passes", () => {
    expect(readAll([stream])).toBe(seen);
  });

  it("is found however the stream is cut into chunks", () => {
    for (let cut = 0; cut <= stream.length; cut++) {
      expect(readAll([stream.subarray(0, cut), stream.subarray(cut)])).toBe(seen);
    }
    expect(readAll([...stream].map((byte) => Buffer.from([byte])))).toBe(seen);
  });

  it("may be 4 kB long, and no longer", () => {
    const long = `\x1e${NONCE} ${"x".repeat(4000)}`;

    expect(readAll([Buffer.from(`${long}\n`)])).toBe(`<${"x".repeat(4000)}>`);
    expect(() => readAll([Buffer.from(`${long}${"y".repeat(200)}\n`)])).toThrow(
      expect.objectContaining({ code: "SHELL_PROTOCOL" }),
    );
    expect(() => readAll([Buffer.from(long), Buffer.alloc(200), Buffer.alloc(200)])).toThrow(
      expect.objectContaining({ code: "SHELL_PROTOCOL" }),
    );
  });
});

describe("a block", () => {
  const frame = (text: string) => `\x1e${NONCE} ${text}\n`;

  function blocksIn(text: string): string[] {
    const blocks: Block[] = [];
    const read = readBlocks(NONCE, {
      limitOf: ({ number }) => (number === 7 ? 10 : undefined),
      onBlock: (block) => blocks.push(block),
      onFrame() {},
    });
    for (const byte of Buffer.from(text, "latin1")) read(Buffer.from([byte]));
    return blocks.map(({ index, content }) => `${index}=${content.toString("latin1")}`);
  }

  it("counts when as many bytes came as were sent", () => {
    const text = `noise${frame("block 7 1")}a\0\x1e\n${frame("block-end 7 1 4 4")}noise${frame("block 7 2")}${frame("block-end 7 2 0 0")}`;

    expect(blocksIn(text)).toEqual(["1=a\0\x1e\n", "2="]);
  });

  it("is dropped when something else wrote between, and the next one is found", () => {
    const text = `${frame("block 7 1")}a-noise-b${frame("block-end 7 1 2 2")}${frame("block 7 2")}x${frame("block 7 3")}y${frame("block-end 7 3 1 1")}`;

    expect(blocksIn(text)).toEqual(["3=y"]);
  });

  it("is not held when nobody asked for it, or when it is too long", () => {
    const other = `${frame("block 8 1")}a${frame("block-end 8 1 1 1")}`;
    const long = `${frame("block 7 1")}12345678901${frame("block-end 7 1 11 11")}`;

    expect(blocksIn(other + long)).toEqual([]);
  });
});
