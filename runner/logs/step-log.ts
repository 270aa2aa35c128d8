import type { Annotation, AnnotationLevel } from "../job/job-event.ts";
import type { Masker } from "./mask.ts";

/** Where a step's log goes; everything is masked by then. */
export type StepLogSink = {
  /** Lines without their ends. */
  lines(lines: readonly string[]): void;
  annotation(annotation: Annotation): void;
};

/** The log of one step. The inner steps of a composite action write into their outer step's. */
export type StepLog = {
  /** Writes what the runner says; a text with several lines becomes several. */
  write(text: string): void;
  /** Writes lines that each stand for themselves, as a process prints them; `\n` ends each. */
  writeLines(text: string): void;
  /** Writes `##[debug]` lines when the step is debugged, else nothing. */
  debug(text: string): void;
  /**
   * Records an annotation and writes its line, `##[error]…`; after ten of a level the line alone. `line` replaces the
   * message in the log.
   */
  annotate(annotation: Annotation, line?: string): void;
  /** How many annotations were recorded; a replay puts them back with `restore`. */
  readonly recorded: AnnotationCounts;
  /** Puts the counts of an earlier life back. */
  restore(recorded: AnnotationCounts): void;
};

export type AnnotationCounts = { readonly [level in AnnotationLevel]: number };

const RECORDED_PER_LEVEL = 10;
const MESSAGE_CHARACTERS = 4096;

export function createStepLog(options: {
  readonly masker: Masker;
  readonly sink: StepLogSink;
  /** Whether ACTIONS_STEP_DEBUG is on. */
  readonly debug: boolean;
}): StepLog {
  const { masker, sink } = options;
  let recorded: AnnotationCounts = { notice: 0, warning: 0, error: 0 };

  function write(text: string): void {
    sink.lines(masker.mask(text).split(/\r\n|[\r\n]/));
  }

  return {
    write,
    writeLines(text) {
      if (text === "") return;
      const lines = masker.maskLines(text).split("\n");
      lines.pop();
      sink.lines(lines);
    },
    debug(text) {
      if (!options.debug) return;
      for (const line of text.split(/\r\n|[\r\n]/)) write(`##[debug]${line}`);
    },
    annotate(annotation, line = annotation.message) {
      if (recorded[annotation.level] < RECORDED_PER_LEVEL) {
        recorded = { ...recorded, [annotation.level]: recorded[annotation.level] + 1 };
        sink.annotation(maskAnnotation(annotation, masker));
      }
      if (line !== "") write(`##[${annotation.level}]${line}`);
    },
    get recorded() {
      return recorded;
    },
    restore(counts) {
      recorded = counts;
    },
  };
}

function maskAnnotation(annotation: Annotation, masker: Masker): Annotation {
  const { message, title, file } = annotation;
  return {
    ...annotation,
    message: masker.mask(message).slice(0, MESSAGE_CHARACTERS),
    ...(title === undefined ? {} : { title: masker.mask(title) }),
    ...(file === undefined ? {} : { file: masker.mask(file) }),
  };
}
