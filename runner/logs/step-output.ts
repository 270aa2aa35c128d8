import type { Masker } from "./mask.ts";
import type { LineMatcher } from "./match-problems.ts";
import { createLineSplitter } from "./split-lines.ts";
import type { StepLog } from "./step-log.ts";

/** Hears commands in a process's output. */
export type CommandListener = {
  /** What to do about a line that is a command; `undefined` when it is ordinary output. Without effect by itself. */
  read(line: string): (() => void) | undefined;
};

/** Takes what one process prints. Synchronous: when `write` returns, all complete lines are dealt with. */
export type StepOutput = {
  write(chunk: Buffer): void;
  /** The process has ended: what it printed after its last end of line is a line too. */
  end(): void;
};

/**
 * What a step's process prints goes through here: a line that is a command is obeyed and not logged, one that a problem
 * matcher knows becomes an annotation, all others are masked and logged. Lines without `::` and `##[` while no matcher is
 * registered, nearly all of them, are never looked at one by one before they are masked.
 */
export function createStepOutput(options: {
  readonly log: StepLog;
  readonly masker: Masker;
  readonly commands: CommandListener;
  readonly matcher: LineMatcher;
}): StepOutput {
  const { log, masker, commands, matcher } = options;
  const splitter = createLineSplitter({ onLines: readLines, cutLine: masker.cutBeforeSecret });

  function readLines(text: string): void {
    let logged = 0;
    for (const { start, end } of linesWithMarks(text)) {
      const obey = commands.read(text.slice(start, end));
      if (obey === undefined) continue;
      logOutput(text.slice(logged, start));
      obey();
      logged = end + 1;
    }
    logOutput(text.slice(logged));
  }

  function logOutput(text: string): void {
    if (text === "") return;
    const safe = defuseMarkers(text);
    if (!matcher.active) {
      log.writeLines(safe);
      return;
    }

    const lines = safe.split("\n");
    lines.pop();
    let logged = 0;
    for (const found of matcher.match(lines)) {
      log.writeLines(joinLines(lines.slice(logged, found.index)));
      log.annotate(found.annotation, found.line);
      logged = found.index + (found.line === undefined ? 0 : 1);
    }
    log.writeLines(joinLines(lines.slice(logged)));
  }

  return { write: splitter.write, end: splitter.end };
}

/** The lines that may be commands: those that hold `##[`, and those that begin, after blanks, with `::`. */
function* linesWithMarks(text: string): Generator<{ start: number; end: number }> {
  let colons = text.indexOf("::");
  let hashes = text.indexOf("##[");
  while (colons >= 0 || hashes >= 0) {
    const mark = colons < 0 || (hashes >= 0 && hashes < colons) ? hashes : colons;
    const start = mark === 0 ? 0 : text.lastIndexOf("\n", mark - 1) + 1;
    const end = text.indexOf("\n", mark);
    if (hashes >= 0 && hashes < end) yield { start, end };
    else if (text.slice(start, mark).trim() === "") yield { start, end };
    if (colons >= 0 && colons < end) colons = text.indexOf("::", end);
    if (hashes >= 0 && hashes < end) hashes = text.indexOf("##[", end);
  }
}

function joinLines(lines: readonly string[]): string {
  return lines.length === 0 ? "" : `${lines.join("\n")}\n`;
}

// GitHub marks composite steps with these; a process must not be able to.
function defuseMarkers(text: string): string {
  if (!text.includes("-action") || !text.includes("##[")) return text;
  return text
    .replaceAll("##[start-action", "##[\\start-action")
    .replaceAll("##[end-action", "##[\\end-action");
}
