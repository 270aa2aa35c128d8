import { type FileHandle, open, readdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import type { JobEvent } from "../../runner/job/job-event.ts";
import { JournalHeader } from "./journal-file.ts";

/** How often a log that is followed is looked at. */
const POLL_MS = 200;
const CHUNK_BYTES = 64 * 1024;

/** One life's file with what it told; the handle reads it also when it has been removed. */
type Told = { readonly generation: number; readonly handle: FileHandle };

/**
 * What the job of `folder` has told, oldest first. With `follow` it goes on, over lives of the service, until the job
 * has finished, its folder is removed or `signal` aborts.
 *
 * A new life begins with what was told up to its last checkpoint and mostly tells the rest again: what was read before
 * comes once, and from the first line that is different on all is new.
 */
export async function* readJobLog(
  folder: string,
  { follow = false, signal }: { readonly follow?: boolean; readonly signal?: AbortSignal } = {},
): AsyncGenerator<JobEvent, void, void> {
  await using opened = new AsyncDisposableStack();
  let told: Told | undefined;
  let position = 0;
  let before: { readonly handle: FileHandle; readonly bytes: number } | undefined;

  while (!signal?.aborted) {
    const newer = await openNewer(folder, told?.generation ?? 0);
    const isGone = newer === "none" && told !== undefined;
    if (typeof newer === "object") {
      opened.use(newer.handle);
      if (told !== undefined) before ??= { handle: told.handle, bytes: position };
      told = newer;
      position = 0;
    }
    if (told !== undefined) {
      if (before !== undefined) {
        const same = await skipSame(before, told.handle, position);
        position = same.position;
        if (same.isOver) before = undefined;
      }
      if (before === undefined) {
        for await (const { line, end } of wholeLines(told.handle, position)) {
          position = end;
          const event = JSON.parse(line) as JobEvent;
          yield event;
          if (event.type === "job_finished") return;
          if (signal?.aborted) return;
        }
      }
    }
    if (!follow || isGone) return;
    await pause(signal);
  }
}

/** The newest life's file, where it is newer than `than`; `none` where no life has begun, or the folder is gone. */
async function openNewer(folder: string, than: number): Promise<Told | "none" | "same"> {
  for (;;) {
    const generation = await newestGeneration(folder);
    if (generation === 0) return "none";
    if (generation <= than) return "same";
    try {
      const header = await readHeader(join(folder, `journal.${generation}.jsonl`));
      if (header === undefined) return "same";
      return { generation, handle: await open(join(folder, header.events), "r") };
    } catch (error) {
      // A newer life has just removed it; that one is looked for.
      if (!isMissing(error)) throw error;
    }
  }
}

async function newestGeneration(folder: string): Promise<number> {
  try {
    const names = await readdir(folder);
    return Math.max(
      0,
      ...names.map((name) => Number(/^journal\.(\d+)\.jsonl$/.exec(name)?.[1] ?? 0)),
    );
  } catch (error) {
    if (isMissing(error)) return 0;
    throw error;
  }
}

async function readHeader(file: string): Promise<JournalHeader | undefined> {
  await using handle = await open(file, "r");
  for await (const { line } of wholeLines(handle, 0)) return JournalHeader.parse(JSON.parse(line));
  return undefined;
}

/** Goes past what was read before in another file: to the start of the line that is different, or not there yet. */
async function skipSame(
  before: { readonly handle: FileHandle; readonly bytes: number },
  now: FileHandle,
  from: number,
): Promise<{ position: number; isOver: boolean }> {
  let at = from;
  let lineStart = from;
  while (at < before.bytes) {
    const length = Math.min(CHUNK_BYTES, before.bytes - at);
    const [old, fresh] = await Promise.all([
      readAt(before.handle, at, length),
      readAt(now, at, length),
    ]);
    const same = commonLength(old, fresh);
    const lineEnd = old.subarray(0, same).lastIndexOf("\n");
    if (lineEnd >= 0) lineStart = at + lineEnd + 1;
    if (same < fresh.length) return { position: lineStart, isOver: true };
    if (same < length) return { position: lineStart, isOver: false };
    at += same;
  }
  return { position: lineStart, isOver: true };
}

function commonLength(a: Buffer, b: Buffer): number {
  const length = Math.min(a.length, b.length);
  if (a.subarray(0, length).equals(b.subarray(0, length))) return length;
  let same = 0;
  while (a[same] === b[same]) same += 1;
  return same;
}

/** Lines from `position` to the end of the file as it is now; one without its end is left for later. */
async function* wholeLines(
  handle: FileHandle,
  position: number,
): AsyncGenerator<{ line: string; end: number }> {
  let at = position;
  let parts: Buffer[] = [];
  for (;;) {
    const chunk = await readAt(handle, at, CHUNK_BYTES);
    if (chunk.length === 0) return;
    let start = 0;
    for (let end = chunk.indexOf("\n"); end >= 0; end = chunk.indexOf("\n", start)) {
      const line = Buffer.concat([...parts, chunk.subarray(start, end)]).toString("utf8");
      parts = [];
      start = end + 1;
      yield { line, end: at + start };
    }
    parts.push(chunk.subarray(start));
    at += chunk.length;
  }
}

async function readAt(handle: FileHandle, position: number, length: number): Promise<Buffer> {
  const { bytesRead, buffer } = await handle.read(Buffer.alloc(length), 0, length, position);
  return buffer.subarray(0, bytesRead);
}

async function pause(signal: AbortSignal | undefined): Promise<void> {
  try {
    await setTimeout(POLL_MS, undefined, signal === undefined ? {} : { signal });
  } catch (error) {
    if (!signal?.aborted) throw error;
  }
}

function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === "ENOENT";
}
