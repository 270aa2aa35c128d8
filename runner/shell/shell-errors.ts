import { BerthError } from "../errors.ts";

export function unreadableFacts(): BerthError {
  return new BerthError("SHELL_PROTOCOL", {
    message: "The job's shell said nothing readable about itself.",
    remedy:
      "Something else writes to the container's standard error; stop it, or use another image.",
  });
}

/** The cause of an error that a step itself brought about. */
const BY_A_STEP = new Error("A step ended the job's shell.");

/** Whether the shell told that a step had ended it; nothing else did, then. */
export function wasEndedByStep(error: unknown): boolean {
  return error instanceof BerthError && error.cause === BY_A_STEP;
}

export function stepperGone(status: string, number: number | undefined): BerthError {
  const signal =
    Number(status) > 128 ? `by signal ${Number(status) - 128}` : `with status ${status}`;
  const when = number === undefined ? "between two commands" : "while a command ran";
  return new BerthError("SHELL_LOST", {
    message: `The job's shell was ended ${signal} ${when}: a step must have killed it.`,
    remedy: "Look for a kill of the parent process or of all processes in the last step.",
    cause: BY_A_STEP,
  });
}

export function superseded(): BerthError {
  return new BerthError("SHELL_SUPERSEDED", {
    message: "Another process of Berth has taken over this job.",
    remedy: "Nothing is to be done here; the other one goes on with it.",
  });
}

export function otherCommand(number: number): BerthError {
  return new BerthError("JOURNAL_MISMATCH", {
    message: `Command ${number} is another one than in this job's earlier life.`,
    remedy: "Berth, the workflow or an input changed in between; run the job again.",
  });
}

export function otherHistory(last: number, stored: number): BerthError {
  return new BerthError("JOURNAL_MISMATCH", {
    message: `The job's shell has run ${last} commands, but ${stored} are on record.`,
    remedy: "The record and the container belong to different jobs or times; run the job again.",
  });
}
