import { BerthError } from "../errors.ts";
import type { Position } from "../expressions/template.ts";

/** Something wrong with a workflow file. Lines and columns count from 1; `text` is the whole offending line. */
export type Problem = Position & { readonly message: string; readonly text: string };

const MAX_MESSAGE_CHARACTERS = 500;

/** Collects what is wrong with one file, so that all of it can be told at once. */
export class Problems {
  readonly list: Problem[] = [];
  readonly #file: string;
  readonly #lines: readonly string[];

  constructor(file: string, text: string) {
    this.#file = file;
    this.#lines = text.split(/\r\n|\n|\r/);
  }

  add(message: string, at: { readonly line: number; readonly column: number } | undefined): void {
    const line = at?.line ?? 1;
    const text = this.#lines[line - 1] ?? "";
    const problem: Problem = {
      file: this.#file,
      line,
      column: at?.column ?? 1,
      message: message.replace(/\s*\n\s*/g, " ").slice(0, MAX_MESSAGE_CHARACTERS),
      text,
    };
    // What else is said of the same place follows from the first.
    if (!this.list.some((other) => other.line === line && other.column === problem.column)) {
      this.list.push(problem);
    }
  }
}

/** `file:line:col: message`, the line, and a mark below the column. */
export function printProblem({ file, line, column, message, text }: Problem): string {
  const head = `${file}:${line}:${column}: ${message}`;
  if (text.trim() === "") return head;
  const indent = text.slice(0, column - 1).replace(/[^\t]/g, " ");
  return `${head}\n  ${text}\n  ${indent}^`;
}

/** All of them in the file's order. */
export function printProblems(problems: readonly Problem[]): string {
  const inOrder = problems.toSorted((a, b) => a.line - b.line || a.column - b.column);
  return inOrder.map(printProblem).join("\n");
}

export function workflowInvalid(problems: readonly Problem[]): BerthError {
  return new BerthError("WORKFLOW_INVALID", { message: printProblems(problems) });
}
