import { setTimeout as sleep } from "node:timers/promises";
import type { Installation } from "../github/installation.ts";
import type { Log } from "../log.ts";
import type { RunRecord } from "../store/records.ts";
import type { RunKeeper } from "./run-keeper.ts";

export type ReleaseDeps = {
  readonly githubJob: "cancel" | "leave";
  isOurs(labels: readonly string[]): boolean;
  /** Whether a job of somebody else's needs one of ours: it would be cancelled before it ever began. */
  readonly hasHostedDependent: boolean;
  readonly installation: Pick<Installation, "run" | "runJobs" | "cancelRun">;
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
  const { repository, githubRunId, cancelled, releasedAtMs, rerunOf } = run.record;
  if (deps.githubJob === "leave" || rerunOf !== undefined) return;
  if (deps.hasHostedDependent) {
    deps.log.info({ run: run.record.id }, "GitHub's queued jobs are left: others need ours");
    return;
  }
  const cancel = (isForced: boolean) =>
    deps.persist("cancel GitHub's side of a run", () =>
      deps.installation.cancelRun(repository, githubRunId, { isForced }),
    );
  if (!(await onlyOursAreOpen(run.record, deps, signal))) return;
  // Before we ask: the events that follow are no person's cancel, whoever lives to hear them.
  if (releasedAtMs === undefined) await run.change({ releasedAtMs: Date.now() });
  if (cancelled === undefined) await cancel(false);
  // Of a cancelled run GitHub still queues the jobs whose `if` holds, such as `always()`.
  if (await onlyOursAreOpen(run.record, deps, signal)) await cancel(true);
  // The service stops: the next one does the rest.
  signal.throwIfAborted();
}

/** Waits until all that is open of a run is ours, and then is true; false when it has ended. */
async function onlyOursAreOpen(
  { repository, githubRunId, attempt }: RunRecord,
  { installation, isOurs, nextChange, persist }: ReleaseDeps,
  signal: AbortSignal,
): Promise<boolean> {
  for (;;) {
    const isOver = new AbortController();
    // Listens before it looks, so that no change falls between.
    const change = nextChange(AbortSignal.any([signal, isOver.signal]));
    change.catch(() => {}); // unheard when the answer is there at once
    try {
      const jobs = await persist("list the jobs of a run", () =>
        installation.runJobs(repository, githubRunId, attempt),
      );
      const open = (jobs ?? []).filter(({ status }) => status !== "completed");
      const areOurs = open.every(({ labels, runnerName }) => isOurs(labels) && !runnerName);
      if (open.length > 0 && areOurs) return true;
      if (open.length === 0) {
        const asked = await persist("read a run", () =>
          installation.run(repository, githubRunId, attempt),
        );
        if (asked?.status === "completed") return false;
      }
      await change;
      signal.throwIfAborted();
    } finally {
      isOver.abort();
    }
  }
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
