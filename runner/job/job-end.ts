import { BerthError, type ErrorCode } from "../errors.ts";
import { TornDown } from "./cancellation.ts";
import type { JobPlace } from "./execute-job.ts";

const ENDS: readonly ErrorCode[] = [
  "SHELL_LOST",
  "SHELL_PROTOCOL",
  "SHELL_SUPERSEDED",
  "JOURNAL_MISMATCH",
  "ENGINE_LOST",
];

/** A job ended before its time; its step has said so already. The message is the reason. */
export class JobEnd extends Error {
  readonly conclusion: "failure" | "cancelled";

  constructor(conclusion: "failure" | "cancelled", reason: string, cause: unknown) {
    super(reason, { cause });
    this.name = "JobEnd";
    this.conclusion = conclusion;
  }
}

/** Whether an error ends the job, not only the step it came up in. */
export function isEndOfJob(error: unknown): boolean {
  if (error instanceof TornDown || error instanceof JobEnd) return true;
  return error instanceof BerthError && ENDS.includes(error.code);
}

export function isSuperseded(error: unknown): boolean {
  return error instanceof BerthError && error.code === "SHELL_SUPERSEDED";
}

/** Why a job ended before its time, in a sentence or two: what the place knows, else what the error says. */
export async function describeEnd(
  error: unknown,
  job: { readonly conclusion: "failure" | "cancelled"; readonly place: JobPlace | undefined },
): Promise<string> {
  if (error instanceof TornDown) return error.message;
  const isLost = error instanceof BerthError && error.code === "SHELL_LOST";
  // An engine that is gone as well cannot be asked; its error says just that.
  const known = isLost ? await job.place?.explainEnd?.().catch(messageOf) : undefined;
  if (known) return known;
  return job.conclusion === "cancelled" ? "The operation was canceled." : messageOf(error);
}

/** An error in words for the workflow's author, with the remedy if there is one. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const remedy = error instanceof BerthError ? error.remedy : undefined;
  return remedy ? `${error.message} ${remedy}` : error.message;
}
