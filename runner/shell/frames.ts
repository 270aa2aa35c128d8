import { BerthError } from "../errors.ts";

const FRAME_START = 0x1e;
const NEWLINE = 0x0a;
/** A frame is one write below this, so that nothing else that writes to the pipe can tear it. */
const MAX_FRAME_BYTES = 4096;

/** What is in a stream: bytes that mean nothing to us, and frames as their words. */
export type FrameListener = {
  onBytes(bytes: Buffer): void;
  onFrame(words: readonly string[]): void;
};

/**
 * Tells frames from everything else in a byte stream, which passes byte for byte. A frame is byte 0x1E, the nonce, a space,
 * words, a newline; it may begin anywhere. Returns what takes the stream's chunks.
 *
 * @throws {BerthError} `SHELL_PROTOCOL` from the returned function when a frame with our nonce does not end.
 */
export function readFrames(nonce: string, listener: FrameListener): (chunk: Buffer) => void {
  const prefix = Buffer.from(`\x1e${nonce} `, "latin1");
  let held: Buffer | undefined;

  return (chunk) => {
    const data = held === undefined ? chunk : Buffer.concat([held, chunk]);
    held = undefined;
    let passed = 0;
    let from = 0;
    for (;;) {
      const start = data.indexOf(FRAME_START, from);
      if (start === -1) break;
      const seen = Math.min(prefix.length, data.length - start);
      if (data.compare(prefix, 0, seen, start, start + seen) !== 0) {
        from = start + 1;
        continue;
      }
      const end = seen < prefix.length ? -1 : data.indexOf(NEWLINE, start + seen);
      if ((end === -1 ? data.length : end) - start > MAX_FRAME_BYTES) throw endlessFrame();
      if (start > passed) listener.onBytes(data.subarray(passed, start));
      if (end === -1) {
        held = data.subarray(start);
        return;
      }
      passed = end + 1;
      from = passed;
      listener.onFrame(data.toString("latin1", start + prefix.length, end).split(" "));
    }
    if (passed < data.length) listener.onBytes(data.subarray(passed));
  };
}

/** A run of bytes that a shell sent as one: a command file, or its facts (number 0). */
export type Block = {
  readonly number: number;
  readonly index: number;
  /** Size of the file; `content` is one byte longer than the limit, or less, however much that is. */
  readonly sizeBytes: number;
  readonly content: Buffer;
};

export type BlockListener = {
  /** The most bytes that a block may have; `undefined` when nobody asked for it, which is then never held. */
  limitOf(block: { number: number; index: number }): number | undefined;
  onBlock(block: Block): void;
  onFrame(words: readonly string[]): void;
};

/**
 * Reads the stream of blocks: a frame `block`, bytes, a frame `block-end` that says how many. Others may write to the stream
 * too, so a block counts only when exactly so many came; whatever is wrong, the next frame begins afresh.
 */
export function readBlocks(nonce: string, listener: BlockListener): (chunk: Buffer) => void {
  let open: OpenBlock | undefined;

  return readFrames(nonce, {
    onBytes(bytes) {
      if (open === undefined) return;
      open.parts.push(Buffer.from(bytes));
      open.heldBytes += bytes.length;
      if (open.heldBytes > open.limitBytes) open = undefined;
    },
    onFrame(words) {
      const block = open;
      open = undefined;
      switch (words[0]) {
        case "block": {
          const [number = 0, index = 0] = readNumbers(words.slice(1), 2);
          const limitBytes = listener.limitOf({ number, index });
          if (limitBytes !== undefined)
            open = { number, index, limitBytes, parts: [], heldBytes: 0 };
          return;
        }
        case "block-end": {
          const [number = 0, index = 0, sizeBytes = 0, sent = 0] = readNumbers(words.slice(1), 4);
          if (block?.number !== number || block.index !== index || block.heldBytes !== sent) return;
          return listener.onBlock({
            number,
            index,
            sizeBytes,
            content: Buffer.concat(block.parts),
          });
        }
        default:
          return listener.onFrame(words);
      }
    },
  });
}

type OpenBlock = {
  readonly number: number;
  readonly index: number;
  readonly limitBytes: number;
  readonly parts: Buffer[];
  heldBytes: number;
};

/**
 * The first `count` words as whole numbers of at most 15 digits.
 *
 * @throws {BerthError} `SHELL_PROTOCOL` when one of them is something else.
 */
export function readNumbers(words: readonly string[], count: number): number[] {
  const numbers = words.slice(0, count);
  if (numbers.length < count || !numbers.every((word) => /^\d{1,15}$/.test(word))) {
    throw malformed(words);
  }
  return numbers.map(Number);
}

/** What the job's shell sent cannot be what our shell program sends. */
export function malformed(words: readonly string[]): BerthError {
  return new BerthError("SHELL_PROTOCOL", {
    message: `The job's shell sent a malformed message: ${JSON.stringify(words.join(" ").slice(0, 120))}.`,
    remedy:
      "Something in the job writes what only Berth's own shell may write; look for it in the last step.",
  });
}

function endlessFrame(): BerthError {
  return new BerthError("SHELL_PROTOCOL", {
    message: `The job's shell began a message that is longer than ${MAX_FRAME_BYTES} bytes.`,
    remedy:
      "Something in the job writes what only Berth's own shell may write; look for it in the last step.",
  });
}
