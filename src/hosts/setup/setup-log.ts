import { createWriteStream } from "node:fs";
import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { finished } from "node:stream/promises";

/** Where what a set-up ran, and what that printed, can be read afterwards. */
export type SetupLog = AsyncDisposable & {
  readonly file: string;
  write(line: string): void;
};

/** Goes on in a file that is there; only its owner may read it. */
export async function openSetupLog(file: string): Promise<SetupLog> {
  await mkdir(dirname(file), { recursive: true });
  const stream = createWriteStream(file, { flags: "a", mode: 0o600 });
  // A full disk must not end a set-up; its steps are reported all the same.
  stream.on("error", () => {});
  return {
    file,
    write: (line) => void stream.write(`${new Date().toISOString()} ${line}\n`),
    async [Symbol.asyncDispose]() {
      stream.end();
      await finished(stream).catch(() => {});
    },
  };
}
