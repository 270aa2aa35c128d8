import { Readable } from "node:stream";
import { z } from "zod";

const Progress = z.object({
  id: z.string().optional(),
  status: z.string().optional(),
  stream: z.string().optional(),
  error: z.string().optional(),
  errorDetail: z.object({ message: z.string() }).optional(),
  aux: z.object({ ID: z.string() }).optional(),
});

/** Characters of one line of a build; what goes on without end is told in pieces. */
const MAX_LINE = 65_536;

/** Reads the engine's progress to its end; an error in it is thrown, what moves every moment is left out. The id of what was made, if any. */
export async function followProgress(
  stream: NodeJS.ReadableStream,
  progress: (line: string) => void,
  signal: AbortSignal,
): Promise<string | undefined> {
  const stop = () => stream instanceof Readable && stream.destroy();
  signal.addEventListener("abort", stop, { once: true });
  let made: string | undefined;
  let begun = ""; // what a build prints comes in pieces that need not end with their line
  try {
    for await (const line of lines(stream)) {
      const message = Progress.parse(JSON.parse(line));
      made = message.aux?.ID ?? made;
      if (message.error !== undefined)
        throw new Error(message.errorDetail?.message ?? message.error);
      const printed = (begun + (message.stream ?? "")).split("\n");
      begun = printed.pop() ?? "";
      if (begun.length > MAX_LINE) {
        printed.push(begun);
        begun = "";
      }
      printed.filter(Boolean).map(progress);
      const { status, id } = message;
      if (
        status !== undefined &&
        !/^(Downloading|Extracting|Waiting|Pulling fs|Verifying)/.test(status)
      ) {
        progress(id === undefined ? status : `${id}: ${status}`);
      }
    }
    signal.throwIfAborted();
    return made;
  } finally {
    if (begun !== "") progress(begun);
    signal.removeEventListener("abort", stop);
  }
}

async function* lines(stream: NodeJS.ReadableStream): AsyncGenerator<string> {
  let rest = "";
  const decoder = new TextDecoder();
  for await (const chunk of stream) {
    const parts = (rest + decoder.decode(Buffer.from(chunk), { stream: true })).split("\n");
    rest = parts.pop() ?? "";
    yield* parts.filter((line) => line.trim() !== "");
  }
  if (rest.trim() !== "") yield rest;
}
