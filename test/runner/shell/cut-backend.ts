import { PassThrough, type Readable, Writable } from "node:stream";
import type { ShellBackend, ShellConnection } from "../../../runner/shell/shell.ts";

/** Where a connection breaks: after so many bytes of one of its streams, counted from its beginning. */
export type Cut = { readonly stream: "stdin" | "stdout" | "stderr"; readonly afterBytes: number };

export type CutBackend = ShellBackend & {
  /** The next connections break there, one after another; `undefined` is one that holds. */
  readonly cuts: (Cut | undefined)[];
  /** Breaks the present connection. */
  cutNow(): void;
  /** How often a connection was made. */
  readonly connections: number;
  /** What went over the present connection so far. */
  readonly bytes: { readonly [stream in Cut["stream"]]: number };
};

/** The connections of a backend break, while the shell behind it runs on. `isRunning` is asked of the shell. */
export function cutBackend(
  backend: ShellBackend,
  isRunning: NonNullable<ShellBackend["isRunning"]> = async () => true,
): CutBackend {
  const cuts: (Cut | undefined)[] = [];
  let connections = 0;
  let bytes = { stdin: 0, stdout: 0, stderr: 0 };
  let cutNow = () => {};

  return {
    ...backend,
    cuts,
    isRunning,
    cutNow: () => cutNow(),
    get connections() {
      return connections;
    },
    get bytes() {
      return bytes;
    },
    async attach(signal) {
      const inner = await backend.attach(signal);
      const cut = cuts.shift();
      connections += 1;
      const count = { stdin: 0, stdout: 0, stderr: 0 };
      bytes = count;
      /** As much of a chunk as still passes. */
      const passing = (stream: Cut["stream"], chunk: Buffer): Buffer => {
        const left = cut?.stream === stream ? cut.afterBytes - count[stream] : chunk.length;
        count[stream] += chunk.length;
        return chunk.subarray(0, Math.max(0, left));
      };
      const isCut = (stream: Cut["stream"]) =>
        cut?.stream === stream && count[stream] >= cut.afterBytes;
      const output = (stream: "stdout" | "stderr", source: Readable) => {
        const out = new PassThrough({ highWaterMark: 1 << 24 });
        source.on("data", (chunk: Buffer) => {
          if (out.writableEnded) return;
          out.write(passing(stream, chunk));
          if (isCut(stream)) breakAll();
        });
        source.on("end", () => out.end());
        return out;
      };
      const outer: ShellConnection = {
        stdin: new Writable({
          write(chunk: Buffer, _encoding, done) {
            inner.stdin.write(passing("stdin", chunk), () => {
              if (isCut("stdin")) breakAll();
              done();
            });
          },
        }),
        stdout: output("stdout", inner.stdout),
        stderr: output("stderr", inner.stderr),
        [Symbol.asyncDispose]: async () => breakAll(),
      };
      const breakAll = () => {
        void inner[Symbol.asyncDispose]();
        for (const one of [outer.stdout, outer.stderr]) (one as PassThrough).end();
      };
      cutNow = breakAll;
      return outer;
    },
  };
}
