import type { Json } from "../expressions/template.ts";
import type { Block } from "./frames.ts";
import type { Command, CommandResult } from "./shell.ts";
import type { SignalName } from "./stop-command.ts";

/** What waits for the shell's answers while one command runs. */
export type RunningCommand = {
  readonly number: number;
  readonly collect: NonNullable<Command["collect"]>;
  /** As far as the shell tells it again. */
  readonly hash: string;
  /** What is typed for it, in an epoch. */
  bytesFor: (epoch: number) => Buffer;
  /** Aborted when it has ended, or nobody waits for it any more. */
  readonly finished: AbortController;
  readonly onOutput: (chunk: Buffer) => void;
  readonly files: Map<number, Block>;
  readonly begun: PromiseWithResolvers<void>;
  /** Once it may be typed: all that was printed before has been told. */
  isGoing: boolean;
  /** What was sent on the way is lost: that of its frames too, which are on stderr. */
  isLate: boolean;
  /** A signal that could not be typed. */
  unsent: SignalName | undefined;
  /** As the job's container numbers it; known once it has begun. */
  pid: number | undefined;
  readonly ended: PromiseWithResolvers<Ended>;
  /** Called when something came that may complete the files. */
  progress: () => void;
  end: Ended | undefined;
  announcedFiles: number | undefined;
};
export type Ended = { readonly code: number; readonly why: string; readonly files: number };

const REASONS = { "no-program": true, "no-directory": true, "no-write": true } as const;

/** True when all are here, false when the shell has sent what it has and it was not all, or nothing for a while. */
export function filesCame(
  current: RunningCommand,
  patienceMs: number,
  lost: AbortSignal,
): Promise<boolean> {
  return new Promise((resolve) => {
    const look = () => {
      const { announcedFiles, files } = current;
      if (lost.aborted) settle(false);
      else if (announcedFiles !== undefined) settle(files.size >= announcedFiles);
      else timer.refresh();
    };
    const settle = (complete: boolean) => {
      clearTimeout(timer);
      lost.removeEventListener("abort", giveUp);
      current.progress = () => {};
      resolve(complete);
    };
    const giveUp = () => settle(false);
    const timer = setTimeout(giveUp, patienceMs);
    lost.addEventListener("abort", giveUp);
    current.progress = look;
    look();
  });
}

export function startListening(
  number: number,
  command: Command,
  { onOutput, hash }: Pick<RunningCommand, "onOutput" | "hash">,
): RunningCommand {
  return {
    number,
    collect: command.collect ?? [],
    hash,
    bytesFor: () => Buffer.alloc(0),
    finished: new AbortController(),
    isGoing: false,
    isLate: false,
    unsent: undefined,
    onOutput,
    files: new Map(),
    begun: Promise.withResolvers(),
    pid: undefined,
    ended: Promise.withResolvers(),
    progress: () => {},
    end: undefined,
    announcedFiles: undefined,
  };
}

export function resultOf(
  current: RunningCommand,
  end: Ended,
  notes: Json | undefined,
): CommandResult {
  const files = current.collect.flatMap(({ path, limitBytes }, index) => {
    const file = current.files.get(index + 1);
    if (file === undefined) return [];
    const content = file.content.subarray(0, limitBytes);
    const sizeBytes = Math.max(file.sizeBytes, content.length);
    return [[path, { content, sizeBytes, truncated: content.length < sizeBytes }] as const];
  });
  return {
    started: end.why === "ok",
    ...(isReason(end.why) && { reason: end.why }),
    exitCode: end.code,
    files: Object.fromEntries(files),
    ...(notes !== undefined && { notes }),
  };
}

function isReason(why: string): why is keyof typeof REASONS {
  return Object.hasOwn(REASONS, why);
}
