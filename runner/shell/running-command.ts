import type { Json } from "../expressions/template.ts";
import type { Block } from "./frames.ts";
import type { Command, CommandResult, RunOptions } from "./shell.ts";

/** What waits for the shell's answers while one command runs. */
export type RunningCommand = {
  readonly number: number;
  readonly collect: NonNullable<Command["collect"]>;
  readonly onOutput: (chunk: Buffer) => void;
  readonly files: Map<number, Block>;
  readonly begun: PromiseWithResolvers<void>;
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
  options: RunOptions,
): RunningCommand {
  return {
    number,
    collect: command.collect ?? [],
    onOutput: options.onOutput,
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
