import { randomBytes } from "node:crypto";
import { constants } from "node:os";
import { StringDecoder } from "node:string_decoder";
import { setTimeout as wait } from "node:timers/promises";
import type { ClientChannel } from "ssh2";
import {
  MOST_CHARACTERS,
  type RunScriptOptions,
  type ScriptEnd,
  tookTooLong,
} from "../machine-shell.ts";
import { endProcesses } from "./end-processes.ts";
import type { FarProcess, Link } from "./link.ts";
import { asOneWord, openSession } from "./open-session.ts";
import { connectionLost } from "./ssh-errors.ts";

/** A script that is given up before it has told its process number is waited for so long, in milliseconds: else it would run on. */
const TO_BEGIN_MS = 3_000;

/**
 * Runs a script on the machine, whatever the login's shell is. The script travels on standard input, before its own: so it may be of any length, and
 * no quoting changes it.
 *
 * @param link Its connection; when that breaks, the script's fate is unknown, and it is ended once there is a new one.
 * @throws {BerthError} `HOST_UNREACHABLE`
 */
export async function runOverSsh(
  link: Link,
  script: string,
  { stdin, onLine, limitMs, signal }: RunScriptOptions,
): Promise<ScriptEnd> {
  const limit = limitMs === undefined ? [] : [AbortSignal.timeout(limitMs)];
  const ending = AbortSignal.any([signal, ...limit]);
  const nonce = randomBytes(8).toString("hex");
  const bytes = Buffer.from(`${script}\n`);
  const begun = Promise.withResolvers<void>();
  let process: FarProcess | undefined;
  let channel: ClientChannel | undefined;
  try {
    channel = await openSession(link, starter(nonce, bytes.length, stdin), ending);
    const stdout = collect(
      channel,
      nonce,
      (line) => onLine?.(line, "stdout"),
      (started) => {
        process = started;
        link.processes.add(started);
        begun.resolve();
      },
    );
    const stderr = collect(channel.stderr, nonce, (line) => onLine?.(line, "stderr"));
    const ended = endOf(channel, link, ending);
    channel.write(bytes);
    channel.end(stdin ?? "");

    const exitCode = await ended;
    return { exitCode, stdout: stdout(), stderr: stderr() };
  } catch (error) {
    if (channel !== undefined && process === undefined) await atMost(TO_BEGIN_MS, begun.promise);
    if (process !== undefined && !link.lost.aborted) await endProcesses(link, [process]);
    signal.throwIfAborted();
    if (ending.aborted) throw tookTooLong(limitMs ?? 0);
    throw connectionLost(link.hop, link.lost.aborted ? link.lost.reason : error);
  } finally {
    channel?.close();
    // Of a broken connection it stays in the list, for the next one to end it.
    if (process !== undefined && !link.lost.aborted) link.processes.delete(process);
  }
}

/** Waits so long at most, in milliseconds. */
async function atMost(ms: number, promise: Promise<void>): Promise<void> {
  const done = new AbortController();
  const { signal } = done;
  await Promise.race([promise, wait(ms, undefined, { signal }).catch(() => {})]);
  done.abort();
}

/** Says who it is on both streams, which also tells apart what a login's start-up files print; takes the script, and becomes it. */
function starter(nonce: string, length: number, stdin: RunScriptOptions["stdin"] = ""): string {
  const say = `echo ${nonce} $$ $(cut -d" " -f22 /proc/$$/stat 2>/dev/null); echo ${nonce} >&2`;
  // BusyBox's `head` reads on beyond what it prints; `dd` does not, and is slow.
  const take = stdin.length === 0 ? `head -c ${length}` : `dd bs=1 count=${length} 2>/dev/null`;
  return `exec /bin/sh -c ${asOneWord(`${say}; s=$(${take}); eval "$s"`)}`;
}

/** What a stream said after the first line of ours. */
function collect(
  stream: NodeJS.ReadableStream,
  nonce: string,
  onLine: (line: string) => void,
  onBegin: (process: FarProcess) => void = () => {},
): () => string {
  const decoder = new StringDecoder("utf8");
  const opening = new RegExp(`${nonce}(?: (\\d+) ?(\\d*))?\\r?\\n`);
  let hasBegun = false;
  let kept = "";
  let line = "";
  stream.on("data", (bytes: Buffer) => {
    let text = decoder.write(bytes);
    if (!hasBegun) {
      line = (line + text).slice(-MOST_CHARACTERS);
      const match = opening.exec(line);
      if (match === null) return;
      hasBegun = true;
      text = line.slice(match.index + match[0].length);
      line = "";
      onBegin({ pid: Number(match[1]), startedAt: match[2] ?? "", isGroup: true });
    }
    if (kept.length < MOST_CHARACTERS) kept += text;
    const lines = (line + text).split("\n");
    line = lines.pop()?.slice(-MOST_CHARACTERS) ?? "";
    for (const one of lines) onLine(one);
  });
  stream.on("end", () => hasBegun && line !== "" && onLine(line));
  return () => (hasBegun ? kept : line);
}

function endOf(channel: ClientChannel, link: Link, ending: AbortSignal): Promise<number> {
  const given = AbortSignal.any([ending, link.lost]);
  let giveUp = () => {};
  return new Promise<number>((resolve, reject) => {
    giveUp = () => reject(given.reason);
    if (given.aborted) giveUp();
    given.addEventListener("abort", giveUp, { once: true });

    let exitCode: number | undefined;
    channel.on("exit", (code: number | null, killedBy?: string) => {
      exitCode = code ?? 128 + (signalNumbers[killedBy ?? ""] ?? 0);
    });
    channel.on("close", () => {
      if (link.lost.aborted || exitCode === undefined) {
        reject(new Error("the machine ended the session without a word"));
      } else resolve(exitCode);
    });
    // One that is listened to is kept for as long as the connection lasts.
  }).finally(() => given.removeEventListener("abort", giveUp));
}

const signalNumbers: { readonly [name: string]: number } = constants.signals;
