import { BerthError, type ErrorCode } from "../errors.ts";
import { wasEndedByStep } from "../shell/shell-errors.ts";
import { TornDown } from "./cancellation.ts";
import type { JobPlace } from "./execute-job.ts";
import { deathOf, type JobDeath } from "./job-death.ts";

const ENDS: readonly ErrorCode[] = [
  "SHELL_LOST",
  "SHELL_PROTOCOL",
  "SHELL_SUPERSEDED",
  "JOURNAL_MISMATCH",
  "ENGINE_LOST",
  "HOST_UNREACHABLE",
];

/** A job ended before its time; its step has said so already. The message is the reason. */
export class JobEnd extends Error {
  readonly conclusion: "failure" | "cancelled";
  readonly death: JobDeath | undefined;

  constructor(
    conclusion: "failure" | "cancelled",
    { reason, death }: { readonly reason: string; readonly death?: JobDeath | undefined },
    cause: unknown,
  ) {
    super(reason, { cause });
    this.name = "JobEnd";
    this.conclusion = conclusion;
    this.death = death;
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

export function isShellLost(error: unknown): boolean {
  return error instanceof BerthError && error.code === "SHELL_LOST";
}

/** Why a job ended before its time, in a sentence or two: what the place knows, else what the error says. */
export async function describeEnd(
  error: unknown,
  job: { readonly conclusion: "failure" | "cancelled"; readonly place: JobPlace | undefined },
): Promise<{ readonly reason: string; readonly death?: JobDeath | undefined }> {
  if (error instanceof TornDown) return { reason: error.message };
  const isCancelled = job.conclusion === "cancelled";
  const said = isCancelled ? "The operation was canceled." : messageOf(error);
  const death = isCancelled ? undefined : deathOf(error);
  if (!isShellLost(error) || !job.place?.explainEnd) return { reason: said, death };
  try {
    const known = await job.place.explainEnd();
    // What runs on behind a connection that is gone was lost with the engine's answers.
    if (known === undefined) {
      return { reason: said, ...(!isCancelled && { death: death ?? "engine-lost" }) };
    }
    const isOfStep = wasEndedByStep(error) && known.death === "container-lost";
    return { reason: known.why, death: isOfStep ? undefined : known.death };
  } catch (cause) {
    // An engine that is gone as well cannot be asked; its error says just that.
    return { reason: messageOf(cause), death: deathOf(cause) };
  }
}

/** An error in words for the workflow's author, with the remedy if there is one. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const remedy = error instanceof BerthError ? error.remedy : undefined;
  return remedy ? `${error.message} ${remedy}` : error.message;
}
