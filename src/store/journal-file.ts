import { z } from "zod";
import { BerthError } from "../../runner/errors.ts";
import type { Json } from "../../runner/expressions/template.ts";
import type { Checkpoint } from "../../runner/shell/shell.ts";

/** The first line of a generation's file. */
export const JournalHeader = z.object({
  berthJournal: z.literal(1),
  generation: z.int().positive(),
  startedAt: z.number(),
  /** The name of the file with this generation's events, in the same folder. */
  events: z.string().regex(/^events\.[\w.-]+$/),
});
export type JournalHeader = z.infer<typeof JournalHeader>;

/** Every further line: a checkpoint, and how long the event log was when it was written. */
export type JournalEntry = {
  readonly checkpoint: Checkpoint;
  readonly eventBytes: number;
  /** The log had reached its limit, and says so. */
  readonly isLogFull?: true | undefined;
};

/** The last line of a job that has ended: how long the event log is with `job_finished` in it. */
const Finish = z.object({ finished: z.literal(true), eventBytes: z.int().nonnegative() });

/** The largest checkpoint that is kept, in characters as it is written. */
const MAX_LINE_LENGTH = 64 * 1024 * 1024;

const Entry = z.object({
  number: z.int().nonnegative(),
  hash: z.string(),
  eventBytes: z.int().nonnegative(),
  isLogFull: z.literal(true).optional(),
  result: z.object({
    started: z.boolean(),
    reason: z.enum(["no-program", "no-directory", "no-write"]).optional(),
    exitCode: z.int(),
    files: z.record(
      z.string(),
      z.object({ content: z.base64(), truncated: z.boolean(), sizeBytes: z.number() }),
    ),
    notes: z.json().optional(),
  }),
});

/**
 * One line of a journal's file, with its line end.
 *
 * @throws {BerthError} `JOURNAL_MISMATCH` when the result is too large to be kept.
 */
export function formatEntry({ checkpoint, eventBytes, isLogFull }: JournalEntry): string {
  const { number, hash, result } = checkpoint;
  const files = Object.fromEntries(
    Object.entries(result.files).map(([path, file]) => [
      path,
      { ...file, content: file.content.toString("base64") },
    ]),
  );
  const line = `${JSON.stringify({ number, hash, eventBytes, isLogFull, result: { ...result, files } })}\n`;
  if (line.length > MAX_LINE_LENGTH) {
    throw new BerthError("JOURNAL_MISMATCH", {
      message: `The result of command ${number} is too large for the journal (${line.length} bytes).`,
      remedy: "Let the step set fewer or smaller outputs, annotations and masks.",
    });
  }
  return line;
}

export function formatFinish(eventBytes: number): string {
  return `${JSON.stringify({ finished: true, eventBytes } satisfies z.infer<typeof Finish>)}\n`;
}

/**
 * Reads a generation's file. A last line that was cut off while it was written does not count; `undefined`
 * when not even the header is whole, which means that this generation never began.
 *
 * @throws {BerthError} `JOURNAL_MISMATCH` when a whole line is not what a journal holds.
 */
export function parseJournal(
  text: string,
  name: string,
): { header: JournalHeader; entries: JournalEntry[]; finishedBytes?: number } | undefined {
  const lines = text.split("\n");
  lines.pop(); // what follows the last line end is torn, or empty
  const [first, ...rest] = lines;
  if (first === undefined) return undefined;
  const header = JournalHeader.safeParse(parseLine(first));
  if (!header.success) throw notAJournal(name, 1);

  const finish = Finish.safeParse(parseLine(rest.at(-1) ?? ""));
  if (finish.success) rest.pop();
  const entries = rest.map((line, index) => {
    const entry = Entry.safeParse(parseLine(line));
    if (!entry.success) throw notAJournal(name, index + 2);
    return toEntry(entry.data);
  });
  return {
    header: header.data,
    entries,
    ...(finish.success && { finishedBytes: finish.data.eventBytes }),
  };
}

function parseLine(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined; // the schema says what is wrong with it
  }
}

function toEntry({
  number,
  hash,
  eventBytes,
  isLogFull,
  result,
}: z.infer<typeof Entry>): JournalEntry {
  const files = Object.fromEntries(
    Object.entries(result.files).map(([path, file]) => [
      path,
      { ...file, content: Buffer.from(file.content, "base64") },
    ]),
  );
  const checkpoint: Checkpoint = {
    number,
    hash,
    result: {
      started: result.started,
      ...(result.reason === undefined ? {} : { reason: result.reason }),
      exitCode: result.exitCode,
      files,
      ...(result.notes === undefined ? {} : { notes: result.notes as Json }),
    },
  };
  return { checkpoint, eventBytes, ...(isLogFull && { isLogFull }) };
}

function notAJournal(name: string, line: number): BerthError {
  return new BerthError("JOURNAL_MISMATCH", {
    message: `${name}:${line}: this is not a line of a job's journal.`,
    remedy: "Remove the journal's folder and run the job anew.",
  });
}
