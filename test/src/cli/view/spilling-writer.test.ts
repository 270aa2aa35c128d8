import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Writable } from "node:stream";
import { expect, it } from "@jest/globals";
import { spillingWriter } from "../../../../src/cli/view/spilling-writer.ts";

it("keeps everything in order for a reader that takes its time", async () => {
  const reader = slowReader();
  const lines = Array.from({ length: 20_000 }, (_, at) => `${at} ${"ü".repeat(at % 50)}\n`);
  {
    await using writer = spillingWriter(reader.stream, { memoryBytes: 10_000 });
    for (const line of lines.slice(0, 15_000)) writer.write(line);
    reader.wake();
    await reader.hasTaken(100_000);
    for (const line of lines.slice(15_000)) writer.write(line);
  }

  expect(reader.taken()).toBe(lines.join(""));
});

it("leaves no file behind, not even while it writes", async () => {
  const folder = mkdtempSync(join(tmpdir(), "berth-test-"));
  const before = process.env.TMPDIR;
  process.env.TMPDIR = folder;
  const reader = slowReader();
  try {
    await using writer = spillingWriter(reader.stream, { memoryBytes: 10 });

    writer.write("more than ten bytes".repeat(10));

    expect(readdirSync(folder)).toEqual([]);
    reader.wake();
  } finally {
    if (before === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = before;
    rmSync(folder, { recursive: true });
  }
});

it("goes on without a word when the reader is gone", async () => {
  const stream = new Writable({ write: (_chunk, _encoding, done) => done(new Error("EPIPE")) });
  await using writer = spillingWriter(stream);

  for (let at = 0; at < 1000; at += 1) {
    writer.write("text\n");
    if (at % 100 === 0) await new Promise(setImmediate);
  }

  expect(stream.destroyed).toBe(true);
});

/** Takes nothing until it is woken. */
function slowReader() {
  const awake = Promise.withResolvers<void>();
  const chunks: Buffer[] = [];
  let bytes = 0;
  let changed = () => {};
  const stream = new Writable({
    highWaterMark: 1,
    write(chunk: Buffer, _encoding, done) {
      void awake.promise.then(() => {
        chunks.push(chunk);
        bytes += chunk.length;
        changed();
        setImmediate(done);
      });
    },
  });
  return {
    stream,
    wake: () => awake.resolve(),
    taken: () => Buffer.concat(chunks).toString(),
    hasTaken: (wanted: number) =>
      new Promise<void>((resolve) => {
        changed = () => bytes >= wanted && resolve();
        changed();
      }),
  };
}
