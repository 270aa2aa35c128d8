import { CommanderError } from "commander";
import { BerthError, type ErrorCode, textOf } from "../../runner/errors.ts";
import { INTERRUPTED } from "./interrupts.ts";

/** The exit code of a command that ended with this error. */
export function exitCodeOf(error: unknown, { isInterrupted }: { isInterrupted: boolean }): number {
  if (isInterrupted) return INTERRUPTED;
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  return error instanceof BerthError ? exitCodeOfCode(error.code) : 1;
}

function exitCodeOfCode(code: ErrorCode): number {
  switch (code) {
    case "USAGE":
    case "WORKFLOW_INVALID":
    case "INPUT_INVALID":
    case "CONFIG_INVALID":
    case "CONTAINER_OPTION":
    case "GITHUB_REFUSED":
    case "NOT_SUPPORTED_YET":
      return 2;
    case "ENGINE_NOT_FOUND":
    case "ENGINE_LOST":
    case "ENGINE_REFUSED":
    case "DISK_FULL":
    case "SETUP_FAILED":
    case "DIND_UNUSABLE":
    case "HOST_UNUSABLE":
    case "HOST_UNREACHABLE":
    case "HOST_KEY_UNKNOWN":
    case "HOST_KEY_CHANGED":
    case "HOST_LOGIN_REFUSED":
      return 3;
    default:
      return 1;
  }
}

/** An error for people: what happened and what to do next; with `withStack` also where, and what caused it. */
export function describeError(error: unknown, { withStack }: { withStack: boolean }): string {
  const lines = [headline(error)];
  if (error instanceof BerthError && error.remedy) lines.push(error.remedy);
  if (withStack) lines.push("", ...causes(error));
  else if (!(error instanceof BerthError)) {
    lines.push("This is an error of Berth's own. --log-level debug shows where it comes from.");
  }
  return lines.join("\n");
}

function headline(error: unknown): string {
  const message = textOf(error);
  // `file:line:col: message` is what editors look for at the start of a line.
  const isPlace = /^[^\s:][^\n:]*:\d+(?::\d+)?: /.test(message);
  return isPlace ? message : `berth: ${message}`;
}

function causes(error: unknown): string[] {
  if (!(error instanceof Error)) return [];
  const code = error instanceof BerthError ? ` [${error.code}]` : "";
  const own = `${error.stack ?? error.message}${code}`;
  return error.cause === undefined ? [own] : [own, "caused by:", ...causes(error.cause)];
}
