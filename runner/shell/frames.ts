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

/** A run of bytes that a shell announced with its length: a command file, or its facts (number 0). */
export type Block = {
  readonly number: number;
  readonly index: number;
  /** Size of the file; `content` is shorter when it was longer than its limit. */
  readonly sizeBytes: number;
  readonly content: Buffer;
};

export type BlockListener = {
  /** Whether a block like this was asked for; what nobody asked for is never held. */
  isExpected(block: { number: number; index: number; takeBytes: number }): boolean;
  onBlock(block: Block): void;
  onFrame(words: readonly string[]): void;
};

/**
 * Reads the stream of blocks. Others may write to it too and a file may shrink while it is read, so a block counts only
 * when a frame follows right after its announced length; else the search for frames goes on from its first byte.
 */
export function readBlocks(nonce: string, listener: BlockListener): (chunk: Buffer) => void {
  let block: OpenBlock | undefined;

  const frames = readFrames(nonce, {
    onBytes(bytes) {
      if (block === undefined) return;
      block.parts.push(bytes);
      block.heldBytes += bytes.length;
      // Longer than announced: whatever this is, it is not the block, and holding on to it would bloat us.
      if (block.heldBytes > block.takeBytes) block = undefined;
    },
    onFrame(words) {
      if (block !== undefined && block.heldBytes === block.takeBytes) {
        listener.onBlock({ ...block, content: Buffer.concat(block.parts) });
      }
      block = undefined;
      const opened = openBlock(words);
      if (opened === undefined) listener.onFrame(words);
      else if (listener.isExpected(opened)) block = opened;
    },
  });
  return frames;
}

type OpenBlock = {
  readonly number: number;
  readonly index: number;
  readonly sizeBytes: number;
  readonly takeBytes: number;
  readonly parts: Buffer[];
  heldBytes: number;
};

function openBlock(words: readonly string[]): OpenBlock | undefined {
  if (words[0] !== "block") return undefined;
  const [number, index, sizeBytes, takeBytes] = readNumbers(words.slice(1), 4);
  return {
    number: number ?? 0,
    index: index ?? 0,
    sizeBytes: sizeBytes ?? 0,
    takeBytes: takeBytes ?? 0,
    parts: [],
    heldBytes: 0,
  };
}

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
