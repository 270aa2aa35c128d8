import { setTimeout as sleep } from "node:timers/promises";
import { BerthError, textOf } from "../../runner/errors.ts";
import type { ExecuteJobDeps } from "../../runner/job/execute-job.ts";
import { deathOf } from "../../runner/job/job-death.ts";
import type { HostPlaces } from "./host-places.ts";
import type { HostWatch } from "./watch-hosts.ts";

type OpenPlace = ExecuteJobDeps["openPlace"];
type Opening = Parameters<OpenPlace>[1];
type Request = Parameters<OpenPlace>[0];

export type PatientPlacesOptions = {
  readonly host: Pick<HostPlaces, "name">;
  readonly answers: HostWatch["answers"];
  /** Removes what is left of the job; true once it is certain that nothing is. */
  clear(): Promise<boolean>;
  /** The job is not wanted any more, whatever the signal of its opening says. */
  readonly cancelled: AbortSignal;
  /** Hears why the job waits for its host, and `undefined` when it does no more. */
  onWait(why: string | undefined): void;
  /** How long a job that has not begun waits for its host, in milliseconds. */
  readonly patienceMs?: number;
};

/** A connection is mostly there again within seconds; what has not begun may as well go elsewhere then. */
const PATIENCE_MS = 2 * 60_000;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5000;

/**
 * Opens places over cuts of the way to their host. A job that has begun runs on there: it is come back to whenever its host answers again, as long as its
 * container lasts. Of one that has not, what was made is removed, and its place is made once more.
 *
 * @throws {BerthError} `ENGINE_LOST` with the cause once that was waited for in vain.
 */
export function patientPlaces(open: OpenPlace, options: PatientPlacesOptions): OpenPlace {
  const { host, cancelled, onWait, patienceMs = PATIENCE_MS } = options;
  return async (request, opening) => {
    const endMs = endOfContainer(request, opening);
    let isAgain = false;
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
      try {
        return await open(request, opening);
      } catch (error) {
        const either = AbortSignal.any([opening.signal, cancelled]);
        if (!isCutOff(error)) throw error;
        either.throwIfAborted();
        const waitMs = endMs === undefined ? patienceMs : endMs - Date.now();
        if (waitMs <= 0 || (endMs === undefined && isAgain)) throw lost(host.name, error);
        await waitForHost(error, { ...options, opening, waitMs, pauseMs, signal: either });
        isAgain = true;
      } finally {
        onWait(undefined);
      }
    }
  };
}

/** When a job that has begun has ended itself, in milliseconds since 1970. */
function endOfContainer({ timeLimitSeconds }: Request, { journal }: Opening): number | undefined {
  if (journal === undefined || journal.checkpoints.length === 0) return undefined;
  return timeLimitSeconds === undefined
    ? Number.POSITIVE_INFINITY
    : journal.startedAt + timeLimitSeconds * 1000;
}

/** Errors that say nothing of the job, and all of the way to it. */
function isCutOff(error: unknown): boolean {
  if (error instanceof BerthError && error.code === "ENGINE_NOT_FOUND") return true;
  const death = deathOf(error);
  return death === "engine-lost" || death === "host-lost";
}

/** @throws {BerthError} `ENGINE_LOST` when the host has not answered in time. */
async function waitForHost(
  error: unknown,
  options: PatientPlacesOptions & {
    readonly opening: Opening;
    readonly waitMs: number;
    readonly pauseMs: number;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  const { host, answers, clear, opening, onWait, waitMs, pauseMs, signal } = options;
  const hasBegun = (opening.journal?.checkpoints.length ?? 0) > 0;
  let last = textOf(error);
  const tell = (why: string) => {
    last = why;
    onWait(`It waits for the host ${host.name} to answer: ${why}`);
  };
  tell(last);
  opening.progress(`Waits for the host ${host.name} to answer: ${last}`);
  // Longer than a timer can be.
  const patience = AbortSignal.timeout(Math.min(waitMs, 2 ** 31 - 1));
  const until = AbortSignal.any([signal, patience]);
  try {
    do {
      await sleep(pauseMs, undefined, { signal: until });
      await answers(host.name, { onProblem: tell, signal: until });
    } while (!hasBegun && !(await clear()));
  } catch (cause) {
    signal.throwIfAborted();
    if (!patience.aborted) throw cause;
    throw lost(host.name, error, last);
  }
  opening.progress(
    hasBegun ? `The host ${host.name} answers again.` : "The job's place is made once more.",
  );
}

function lost(host: string, cause: unknown, why = textOf(cause)): BerthError {
  return new BerthError("ENGINE_LOST", {
    message: `The host ${host} was lost: ${why}`,
    remedy: cause instanceof BerthError ? cause.remedy : undefined,
    cause,
  });
}
