/** Takes output as it arrives and hands on whole lines, many at once. */
export type LineSplitter = {
  write(chunk: Buffer): void;
  /** Hands on what follows the last end of line, if anything does. */
  end(): void;
};

export type LineSplitterOptions = {
  /** Gets one or more lines, each with `\n` at its end, however the output ended it. */
  onLines(text: string): void;
  /** Longer lines are cut, so that memory stays bounded; 4 MiB when left out. */
  maxLineBytes?: number;
  /** Where to cut a line that is too long, 1 to `line.length`. */
  cutLine?(line: string): number;
};

const LF = 10;
const CR = 13;

/**
 * Splits bytes into lines as GitHub's runner reads them: `\n`, `\r\n` and a lone `\r` end a line, UTF-8 may be torn
 * between chunks, and what is not UTF-8 becomes U+FFFD.
 */
export function createLineSplitter(options: LineSplitterOptions): LineSplitter {
  const { onLines, maxLineBytes = 4 << 20, cutLine = (line) => line.length } = options;
  let rest = Buffer.alloc(0);
  let restLength = 0;
  let swallowLf = false;

  function keep(bytes: Buffer): void {
    const needed = restLength + bytes.length;
    if (needed > rest.length) {
      const grown = Buffer.allocUnsafe(Math.max(1024, needed * 2));
      rest.copy(grown, 0, 0, restLength);
      rest = grown;
    }
    bytes.copy(rest, restLength);
    restLength = needed;
  }

  function takeRest(): Buffer {
    const taken = rest.subarray(0, restLength);
    rest = Buffer.alloc(0);
    restLength = 0;
    return taken;
  }

  function cutRest(): void {
    const bytes = takeRest();
    const whole = bytes.length - tornBytes(bytes);
    const line = bytes.toString("utf8", 0, whole);
    const cut = cutLine(line);
    onLines(`${line.slice(0, cut)}\n`);
    keep(Buffer.from(line.slice(cut), "utf8"));
    keep(bytes.subarray(whole));
  }

  return {
    write(data) {
      if (data.length === 0) return;
      const chunk = swallowLf && data[0] === LF ? data.subarray(1) : data;
      swallowLf = data.at(-1) === CR;

      const lastLf = chunk.lastIndexOf(LF);
      const end = lastLf + 1 + (chunk.subarray(lastLf + 1).lastIndexOf(CR) + 1);
      if (end > 0) {
        const text =
          restLength === 0
            ? chunk.toString("utf8", 0, end)
            : Buffer.concat([takeRest(), chunk.subarray(0, end)]).toString("utf8");
        onLines(text.includes("\r") ? text.replace(/\r\n?/g, "\n") : text);
      }
      if (end < chunk.length) keep(chunk.subarray(end));
      while (restLength > maxLineBytes) cutRest();
    },
    end() {
      if (restLength > 0) onLines(`${takeRest().toString("utf8")}\n`);
    },
  };
}

/** How many bytes at the end are the beginning of a UTF-8 sequence whose rest has not arrived. */
function tornBytes(bytes: Buffer): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back] ?? 0;
    if (byte < 0x80) return 0;
    if (byte >= 0xc0) return back < (byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2) ? back : 0;
  }
  return 0;
}
