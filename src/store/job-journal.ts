import { randomUUID } from "node:crypto";
import { createReadStream, existsSync, fdatasyncSync, writeSync } from "node:fs";
import {
  copyFile,
  type FileHandle,
  link,
  mkdir,
  open,
  readdir,
  readFile,
  rm,
} from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { BerthError } from "../../runner/errors.ts";
import type { JobEvent } from "../../runner/job/job-event.ts";
import type { Journal } from "../../runner/shell/shell.ts";
import {
  formatEntry,
  formatFinish,
  type JournalEntry,
  type JournalHeader,
  parseJournal,
} from "./journal-file.ts";

/** A job's journal in files, with the log of what the job told beside it. Disposing of it closes the files. */
export type JobJournal = Journal &
  AsyncDisposable & {
    /** Counts the lives of this job from 1. */
    readonly generation: number;
    /** The job has ended: `told` has its `job_finished`, and nothing is left to be done. */
    readonly isFinished: boolean;
    /** Adds an event to the job's log; it is durable once the next checkpoint is, `job_finished` at once. */
    record(event: JobEvent): void;
    /** What was told in earlier lives up to the last checkpoint, oldest first. */
    told(): AsyncIterable<JobEvent>;
  };

/**
 * Opens the journal in `folder` for a new life of its job, or begins it. Each life writes files of its own, a
 * generation: it starts as a copy of the one before, cut to its last whole checkpoint. A process that was thought
 * dead and wakes up again only writes to its own generation, which nobody reads any more.
 *
 * @param options `maxLogBytes` is the size of the log's file from which on no more lines of steps are kept; the log says so once,
 * and all other events are kept.
 *
 * @throws {BerthError} `SHELL_SUPERSEDED` when another process opened the journal at the same moment,
 * `JOURNAL_MISMATCH` when the folder holds something that is not a journal.
 */
export async function openJobJournal(
  folder: string,
  {
    now = Date.now,
    maxLogBytes = Number.POSITIVE_INFINITY,
  }: { now?: () => number; maxLogBytes?: number } = {},
): Promise<JobJournal> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const generation = await claimGeneration(folder);
  const before = await orSuperseded(folder, newestGeneration(folder));
  const entries = before.journal?.entries ?? [];
  const finishedBytes = before.journal?.finishedBytes;
  const toldBytes = finishedBytes ?? entries.at(-1)?.eventBytes ?? 0;
  const startedAt = before.journal?.header.startedAt ?? now();
  const header: JournalHeader = {
    berthJournal: 1,
    generation,
    startedAt,
    events: `events.${generation}.${randomUUID()}.jsonl`,
  };

  await using opened = new AsyncDisposableStack();
  const eventFile = join(folder, header.events);
  const events = opened.use(await open(eventFile, "wx", 0o600));
  if (before.journal !== undefined) {
    const told = copyStart(join(folder, before.journal.header.events), eventFile, toldBytes);
    await orSuperseded(folder, told);
  }
  const journal = opened.use(await publishGeneration(folder, header, { entries, finishedBytes }));
  await removeOlder(folder, header);

  const keep = opened.move();
  return {
    generation,
    startedAt,
    isFinished: finishedBytes !== undefined,
    checkpoints: entries.map((entry) => entry.checkpoint),
    ...writeTo(
      { journal, events },
      { toldBytes, maxLogBytes, isLogFull: entries.at(-1)?.isLogFull ?? false },
      () => checkStillNewest(folder, generation),
    ),
    told: () => readEvents(eventFile, toldBytes),
    [Symbol.asyncDispose]: () => keep.disposeAsync(),
  };
}

/** Appends to both files, synchronously: what a job prints must neither be reordered nor pile up in memory. */
function writeTo(
  { journal, events }: { readonly journal: FileHandle; readonly events: FileHandle },
  log: { readonly toldBytes: number; readonly maxLogBytes: number; readonly isLogFull: boolean },
  checkStillNewest: () => void,
): Pick<JobJournal, "record" | "append" | "confirm"> {
  let eventBytes = log.toldBytes;
  let isLogFull = log.isLogFull;
  let failure: unknown;

  /** What is written of an event: itself, once that the log is full, or nothing. */
  const linesOf = (event: JobEvent): Buffer => {
    const line = toLine(event);
    if (event.type !== "log" || (!isLogFull && eventBytes + line.length <= log.maxLogBytes)) {
      return line;
    }
    if (isLogFull) return Buffer.alloc(0);
    isLogFull = true;
    return toLine({ ...event, line: limitReached(log.maxLogBytes) });
  };

  return {
    record(event) {
      if (failure !== undefined) return;
      try {
        const line = linesOf(event);
        writeAll(events.fd, line, eventBytes);
        eventBytes += line.length;
        // The container goes right after this event, so a later life could not find out again how the job ended.
        if (event.type === "job_finished") {
          fdatasyncSync(events.fd);
          writeSync(journal.fd, formatFinish(eventBytes));
          fdatasyncSync(journal.fd);
        }
      } catch (error) {
        failure = error; // told by the next checkpoint, which must not promise a log that is not there
      }
    },
    async append(checkpoint) {
      if (failure !== undefined) throw failure;
      // In this order: a checkpoint speaks of events that are on the disk already.
      fdatasyncSync(events.fd);
      await journal.appendFile(
        formatEntry({ checkpoint, eventBytes, isLogFull: isLogFull || undefined }),
      );
      await journal.datasync();
      // In this order too: a checkpoint that the next generation may have missed must not be acted upon.
      checkStillNewest();
    },
    confirm: checkStillNewest,
  };
}

function toLine(event: JobEvent): Buffer {
  return Buffer.from(`${JSON.stringify(event)}\n`);
}

function limitReached(maxLogBytes: number): string {
  return `Berth: this log has reached its limit of ${maxLogBytes} bytes (store.maxLogSize of berth.yml); further lines are not kept.`;
}

function writeAll(fd: number, bytes: Buffer, position: number): void {
  let written = 0;
  while (written < bytes.length) {
    written += writeSync(fd, bytes, written, bytes.length - written, position + written);
  }
}

/** A half-written generation must never be seen, and of two processes only one may make it: written aside, then linked. */
async function publishGeneration(
  folder: string,
  header: JournalHeader,
  before: { readonly entries: readonly JournalEntry[]; readonly finishedBytes: number | undefined },
): Promise<FileHandle> {
  const draft = join(folder, `draft.${randomUUID()}`);
  await using opened = new AsyncDisposableStack();
  const file = opened.use(await open(draft, "ax", 0o600));
  try {
    await file.appendFile(`${JSON.stringify(header)}\n`);
    for (const entry of before.entries) await file.appendFile(formatEntry(entry));
    if (before.finishedBytes !== undefined)
      await file.appendFile(formatFinish(before.finishedBytes));
    await file.datasync();
    await link(draft, join(folder, generationFile(header.generation)));
  } catch (error) {
    await rm(join(folder, header.events), { force: true });
    if ((error as NodeJS.ErrnoException).code === "EEXIST") throw superseded(folder, error);
    throw error;
  } finally {
    await rm(draft, { force: true });
  }
  await syncFolder(folder);
  opened.move();
  return file;
}

/**
 * Tells the process of the generation before that its time is over, before its journal is read: whatever it adds from now on it takes
 * back by stopping. Number of the new generation.
 */
async function claimGeneration(folder: string): Promise<number> {
  const numbers = (await readdir(folder)).map((name) =>
    Number(/^(?:journal|claim)\.(\d+)(?:\.jsonl)?$/.exec(name)?.[1] ?? 0),
  );
  const generation = Math.max(0, ...numbers) + 1;
  try {
    await using _ = await open(join(folder, claimFile(generation)), "wx", 0o600);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") throw superseded(folder, error);
    throw error;
  }
  await syncFolder(folder);
  return generation;
}

/** @throws {BerthError} `SHELL_SUPERSEDED` when a later generation was claimed, or this one is gone. */
function checkStillNewest(folder: string, generation: number): void {
  const isNewest =
    existsSync(join(folder, generationFile(generation))) &&
    !existsSync(join(folder, claimFile(generation + 1)));
  if (!isNewest) throw superseded(folder, undefined);
}

async function newestGeneration(
  folder: string,
): Promise<{ number: number; journal?: ReturnType<typeof parseJournal> }> {
  const generations = (await readdir(folder))
    .map((name) => Number(/^journal\.(\d+)\.jsonl$/.exec(name)?.[1]))
    .filter(Number.isSafeInteger)
    .sort((a, b) => b - a);
  const [newest] = generations;
  if (newest === undefined) return { number: 0 };
  const file = join(folder, generationFile(newest));
  return { number: newest, journal: parseJournal(await readFile(file, "utf8"), file) };
}

/** A file of the generation before that is gone was removed by whoever began the next one. */
async function orSuperseded<T>(folder: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") throw superseded(folder, error);
    throw error;
  }
}

async function copyStart(from: string, to: string, bytes: number): Promise<void> {
  if (bytes === 0) return;
  await copyFile(from, to);
  await using target = await open(to, "r+");
  await target.truncate(bytes);
  await target.datasync();
}

/** The generation before is not needed any more; a process that still writes to it writes to nothing. */
async function removeOlder(folder: string, { generation, events }: JournalHeader): Promise<void> {
  const older = (await readdir(folder)).filter((name) => {
    const number = Number(/^(?:journal|events|claim)\.(\d+)(?:\.|$)/.exec(name)?.[1]);
    return (number < generation && name !== events) || name === claimFile(generation);
  });
  // Journals first: without its journal a process knows that it is over, and does not need the claim any more.
  for (const name of older.toSorted().reverse()) await rm(join(folder, name), { force: true });
}

async function* readEvents(file: string, bytes: number): AsyncGenerator<JobEvent> {
  if (bytes === 0) return;
  const lines = createInterface({ input: createReadStream(file, { end: bytes - 1 }) });
  for await (const line of lines) yield JSON.parse(line) as JobEvent;
}

async function syncFolder(folder: string): Promise<void> {
  await using handle = await open(folder, "r");
  await handle.sync();
}

const claimFile = (generation: number) => `claim.${generation}`;
const generationFile = (generation: number) => `journal.${generation}.jsonl`;

function superseded(folder: string, cause: unknown): BerthError {
  return new BerthError("SHELL_SUPERSEDED", {
    message: `Another process has just taken over the job of ${folder}.`,
    remedy: "Leave the job to that process.",
    cause,
  });
}
