import { setTimeout as sleep } from "node:timers/promises";
import type { Installation } from "../github/installation.ts";
import type { Log } from "../log.ts";
import type { RunKeeper } from "./run-keeper.ts";

export type ReleaseDeps = {
  readonly githubJob: "cancel" | "leave";
  isOurs(labels: readonly string[]): boolean;
  /** Whether a job of somebody else's needs one of ours: it would be cancelled before it ever began. */
  readonly hasHostedDependent: boolean;
  readonly installation: Pick<Installation, "runJobs" | "cancelRun">;
  /** Resolves when GitHub tells something new of the run, and after a while. */
  nextChange(signal: AbortSignal): Promise<void>;
  /** Tries again while GitHub does not answer; `undefined` when the service stops. */
  persist<T>(what: string, work: () => Promise<T>): Promise<T | undefined>;
  readonly log: Log;
};

/**
 * What becomes of GitHub's own jobs, which stay queued there when ours have ended: the run is cancelled once nothing of it is left that
 * somebody else runs; else it is left, and GitHub drops it after a day.
 *
 * @throws The signal's reason when the service stops before that is done.
 * @throws {BerthError} `GITHUB_REFUSED`
 */
export async function releaseRun(
  run: RunKeeper,
  deps: ReleaseDeps,
  signal: AbortSignal,
): Promise<void> {
  const { repository, githubRunId, attempt, cancelled, releasedAtMs, rerunOf } = run.record;
  if (deps.githubJob === "leave" || cancelled !== undefined || rerunOf !== undefined) return;
  if (deps.hasHostedDependent) {
    deps.log.info({ run: run.record.id }, "GitHub's queued jobs are left: others need ours");
    return;
  }
  for (;;) {
    const jobs = await deps.persist("list the jobs of a run", () =>
      deps.installation.runJobs(repository, githubRunId, attempt),
    );
    // The service stops; the next one asks again.
    if (jobs === undefined) throw signal.reason;
    const open = jobs.filter(({ status }) => status !== "completed");
    if (open.length === 0) return;
    if (open.every(({ labels, runnerName }) => deps.isOurs(labels) && !runnerName)) break;
    await deps.nextChange(signal);
    signal.throwIfAborted();
  }
  // Before we ask: the events that follow are no person's cancel, whoever lives to hear them.
  if (releasedAtMs === undefined) await run.change({ releasedAtMs: Date.now() });
  await deps.persist("cancel GitHub's side of a run", () =>
    deps.installation.cancelRun(repository, githubRunId),
  );
  signal.throwIfAborted();
}

/** Waits for the first of both; the wait is no longer than this many milliseconds. */
export async function changeOrTimeout(
  change: (signal: AbortSignal) => Promise<unknown>,
  { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<void> {
  const done = new AbortController();
  const either = AbortSignal.any([signal, done.signal]);
  try {
    await Promise.race([
      change(either),
      sleep(timeoutMs, undefined, { signal: either, ref: false }),
    ]);
  } finally {
    done.abort();
  }
}
