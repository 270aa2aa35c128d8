/** A piece of what a container printed, and where it printed it. */
export type LogPiece = { readonly stream: "stdout" | "stderr"; readonly data: Buffer };

const HEADER_BYTES = 8;

/**
 * Takes apart the engine's stream of frames (one byte stream type, three zero bytes, four bytes length, payload). Gives every piece on
 * as soon as it is there, whatever the frame's length: nothing is gathered.
 */
export function demultiplexer(): (chunk: Buffer) => LogPiece[] {
  const header = Buffer.alloc(HEADER_BYTES);
  let headerBytes = 0;
  let payloadBytes = 0;

  return (chunk) => {
    const pieces: LogPiece[] = [];
    let at = 0;
    while (at < chunk.length) {
      if (payloadBytes === 0) {
        const taken = chunk.copy(header, headerBytes, at);
        headerBytes += taken;
        at += taken;
        if (headerBytes < HEADER_BYTES) break;
        headerBytes = 0;
        payloadBytes = header.readUInt32BE(4);
        continue;
      }
      const data = chunk.subarray(at, at + payloadBytes);
      pieces.push({ stream: header[0] === 2 ? "stderr" : "stdout", data });
      payloadBytes -= data.length;
      at += data.length;
    }
    return pieces;
  };
}
