import { expect, it } from "@jest/globals";
import { demultiplexer } from "../../../src/containers/demultiplex.ts";

const FRAMES = Buffer.concat([
  frame(1, "one\n"),
  frame(2, "error\n"),
  frame(1, ""),
  frame(1, "t\x00wo\n"),
  frame(2, "x".repeat(300)),
]);

it.each([1, 2, 3, 7, 8, 9, 100, 10_000])(
  "takes a stream apart that comes in pieces of %i",
  (size) => {
    const pieces = demultiplexer();
    const heard = { stdout: "", stderr: "" };

    for (let at = 0; at < FRAMES.length; at += size) {
      for (const { stream, data } of pieces(FRAMES.subarray(at, at + size))) heard[stream] += data;
    }

    expect(heard).toEqual({ stdout: "one\nt\x00wo\n", stderr: `error\n${"x".repeat(300)}` });
  },
);

it("gives on a long frame before it is whole", () => {
  const pieces = demultiplexer();

  const heard = pieces(frame(1, "y".repeat(1000)).subarray(0, 108));

  expect(heard.map(({ data }) => data.length)).toEqual([100]);
});

function frame(stream: number, content: string): Buffer {
  const header = Buffer.alloc(8);
  header[0] = stream;
  header.writeUInt32BE(Buffer.byteLength(content), 4);
  return Buffer.concat([header, Buffer.from(content)]);
}
