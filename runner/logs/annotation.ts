import { posix } from "node:path";
import type { Annotation, AnnotationLevel } from "../job/job-event.ts";

/** What a command says about where it points; keys are lower case. */
export type AnnotationProperties = ReadonlyMap<string, string>;

/**
 * Makes an annotation of what `::error file=…,line=…::` and its like say. Lines and columns that contradict each other are
 * put right or dropped as GitHub's runner does (`IssueCommandExtension.ValidateLinesAndColumns`), each time with a word to
 * `debug`. A file below `workspace`, an absolute path as steps see it, becomes relative to it.
 */
export function createAnnotation(
  level: AnnotationLevel,
  message: string,
  options: {
    readonly properties: AnnotationProperties;
    readonly workspace: string;
    debug(message: string): void;
  },
): Annotation {
  const { properties, workspace, debug } = options;
  const file = properties.get("file");
  const title = properties.get("title");
  return {
    level,
    message,
    ...(title ? { title } : {}),
    ...(file ? { file: relativeFile(file, workspace) } : {}),
    ...readPlace(properties, (problem) => debug(`Invalid ${level} command value. ${problem}`)),
  };
}

type Place = Pick<Annotation, "startLine" | "endLine" | "startColumn" | "endColumn">;

function readPlace(properties: AnnotationProperties, debug: (problem: string) => void): Place {
  let startLine = readInteger(properties.get("line"));
  let endLine = readInteger(properties.get("endline"));
  let startColumn = readInteger(properties.get("col"));
  let endColumn = readInteger(properties.get("endcolumn"));
  const hasColumn = startColumn !== undefined || endColumn !== undefined;

  if (endLine !== undefined && startLine === undefined) {
    debug("'endLine' can only be set if 'line' is provided");
    startLine = endLine;
  }
  if (endColumn !== undefined && startColumn === undefined) {
    debug("'endColumn' can only be set if 'col' is provided");
    startColumn = endColumn;
  }
  if (startLine === undefined && hasColumn) {
    debug("'col' and 'endColumn' can only be set if 'line' value is provided.");
    startColumn = endColumn = undefined;
  }
  if (endLine !== undefined && startLine !== endLine && hasColumn) {
    debug("'col' and 'endColumn' cannot be set if 'line' and 'endLine' are different values.");
    startColumn = endColumn = undefined;
  }
  if (startLine !== undefined && endLine !== undefined && endLine < startLine) {
    debug("'endLine' cannot be less than 'line'.");
    startLine = endLine = undefined;
  }
  if (startColumn !== undefined && endColumn !== undefined && endColumn < startColumn) {
    debug("'endColumn' cannot be less than 'col'.");
    startColumn = endColumn = undefined;
  }
  return {
    ...(isPlace(startLine) ? { startLine } : {}),
    ...(isPlace(endLine) ? { endLine } : {}),
    ...(isPlace(startColumn) ? { startColumn } : {}),
    ...(isPlace(endColumn) ? { endColumn } : {}),
  };
}

function readInteger(text: string | undefined): number | undefined {
  if (text === undefined || !/^\s*[+-]?\d+\s*$/.test(text)) return undefined;
  const number = Number(text);
  return Math.abs(number) <= 0x7fffffff ? number : undefined;
}

function isPlace(number: number | undefined): number is number {
  return number !== undefined && number >= 1;
}

function relativeFile(file: string, workspace: string): string {
  if (!posix.isAbsolute(file)) return file;
  const normal = posix.normalize(file);
  const folder = posix.join(workspace, "/");
  return normal.startsWith(folder) && normal !== folder ? normal.slice(folder.length) : file;
}
