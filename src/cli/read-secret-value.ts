import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import type { ReadStream } from "node:tty";
import { BerthError } from "../../runner/errors.ts";
import { whyUnreadable } from "../config/why-unreadable.ts";

const ENTER = /[\r\n\u0004]/;
const CTRL_C = "\u0003";
const ERASE = /^[\b\u007f]$/;

/** A secret's value from `file`, else from standard input, where a person is asked for it. The line end at its end is no part of it. */
export async function readSecretValue(
  name: string,
  { file, signal }: { readonly file: string | undefined; readonly signal: AbortSignal },
): Promise<string> {
  const { stdin } = process;
  if (file !== undefined) return withoutLineEnd(await readValueFile(file));
  if (stdin.isTTY) return await ask(`Value of ${name}: `, stdin, signal);
  const stop = () => void stdin.destroy();
  signal.addEventListener("abort", stop, { once: true });
  try {
    return withoutLineEnd(await text(stdin));
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

function withoutLineEnd(value: string): string {
  return value.replace(/\r?\n$/, "");
}

async function readValueFile(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    throw new BerthError("USAGE", {
      message: `${file} cannot be read: ${whyUnreadable(cause)}.`,
      remedy: "Name the file that holds the value.",
      cause,
    });
  }
}

/** What is typed is not shown. */
async function ask(question: string, stdin: ReadStream, signal: AbortSignal): Promise<string> {
  process.stderr.write(question);
  stdin.setRawMode(true).setEncoding("utf8");
  let typed = "";
  try {
    for await (const chunk of stdin) {
      for (const key of String(chunk)) {
        if (key === CTRL_C) await interrupt(signal);
        else if (ENTER.test(key)) return typed;
        else if (ERASE.test(key)) typed = typed.slice(0, -1);
        else typed += key;
      }
    }
    return typed;
  } finally {
    stdin.setRawMode(false);
    process.stderr.write("\n");
  }
}

/** In raw mode Ctrl-C is a key like others. */
async function interrupt(signal: AbortSignal): Promise<never> {
  const aborted = new Promise<never>((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
  });
  // A signal that is on its way does not keep a process alive.
  const awake = setInterval(() => {}, 1000);
  process.kill(process.pid, "SIGINT");
  return await aborted.finally(() => clearInterval(awake));
}
