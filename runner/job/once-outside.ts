import { BerthError, ERROR_CODES, type ErrorCode, textOf } from "../errors.ts";
import type { Json } from "../expressions/template.ts";
import type { StepStop } from "../steps/step-stop.ts";
import { isEndOfJob } from "./job-end.ts";
import { type RunningJob, runCommand } from "./running-job.ts";

/** What came of work outside the shell, as it is kept. */
type Outcome = { readonly value: Json } | { readonly failed: Failure };

type Failure = {
  readonly code: string | null;
  readonly message: string;
  readonly remedy: string | null;
};

/**
 * Does once what happens outside the job's shell, where nothing remembers it: a command that does nothing keeps with its result
 * what came of it. A later life of the job gets that; one that died in between does the work again.
 *
 * @param stop Of the step, if that can be told to stop meanwhile: a later life must know that it was.
 * @throws {Error} What the work threw; a `BerthError` is one again in a later life.
 */
export async function onceOutside<Value extends Json>(
  running: Pick<RunningJob, "place" | "cancellation" | "token">,
  work: () => Promise<Value>,
  stop?: Pick<StepStop, "record" | "restore">,
): Promise<Value> {
  const done = running.place.shell.replaying ? undefined : await outcomeOf(work);
  const { notes } = await runCommand(
    running,
    { argv: ["sh", "-c", ":"], cwd: "/", env: {} },
    {
      onOutput: () => undefined,
      notes: () => (done ? { ...done.outcome, stopped: stop?.record() ?? [] } : null),
    },
  );
  const outcome = notes as (Outcome & { stopped: ReturnType<StepStop["record"]> }) | null;
  if (!done && outcome) stop?.restore(outcome.stopped);
  if (done && "error" in done) throw done.error;
  if (outcome && "failed" in outcome) throw failureOf(outcome.failed);
  return (outcome?.value ?? null) as Value;
}

async function outcomeOf(work: () => Promise<Json>) {
  try {
    return { outcome: { value: await work() } satisfies Outcome };
  } catch (error) {
    if (isEndOfJob(error)) throw error;
    const failed = {
      code: error instanceof BerthError ? error.code : null,
      message: textOf(error),
      remedy: (error instanceof BerthError && error.remedy) || null,
    };
    return { outcome: { failed } satisfies Outcome, error };
  }
}

function failureOf({ code, message, remedy }: Failure): Error {
  if (!isErrorCode(code)) return new Error(message);
  return new BerthError(code, { message, remedy: remedy ?? undefined });
}

function isErrorCode(code: string | null): code is ErrorCode {
  return ERROR_CODES.some((known) => known === code);
}
