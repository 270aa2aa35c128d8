import { setTimeout as delay } from "node:timers/promises";
import { BerthError, textOf } from "../../../runner/errors.ts";
import type { JobEvent } from "../../../runner/job/job-event.ts";
import type { CheckAnnotation, CheckRunState, Installation } from "../../github/installation.ts";
import type { Log } from "../../log.ts";
import type { JobRecord } from "../../store/records.ts";
import { checkAnnotations } from "./check-annotations.ts";
import type { CheckSubject, JobEnding } from "./check-subject.ts";
import { applyJobEvent, emptyJobView } from "./job-view.ts";
import { renderCheck } from "./render-check.ts";
import { type SendOutcome, startUpdateLoop } from "./update-loop.ts";
import { updatePaceMs } from "./update-pace.ts";

/**
 * Keeps a job's check run on GitHub in step with the job. Nothing here throws or waits for GitHub, but for what says so. Disposing of it
 * waits for the last state, if it was told of one, until the signal is aborted.
 */
export type CheckReporter = AsyncDisposable & {
  /** The job waits, for the first time or again, and why: a sentence. */
  waiting(reason: string): void;
  /** A job that runs cannot be heard now, and why: a sentence; `undefined` once it can. */
  interrupted(why: string | undefined): void;
  hear(event: JobEvent): void;
  /** What an earlier life of the service heard, from the job's journal. */
  recall(told: Iterable<JobEvent> | AsyncIterable<JobEvent>): Promise<void>;
  /** The job has ended, and how; what is said after that is not heard. Resolves when GitHub has taken or refused it, or the signal is aborted. */
  finished(ending: Omit<JobEnding, "atMs"> & { readonly atMs?: number }): Promise<SendOutcome>;
  /** Resolves when GitHub has all that is known now, or will not take it. */
  flush(): Promise<void>;
};

export type CheckReporterOptions = {
  readonly installation: Pick<
    Installation,
    "createCheckRun" | "updateCheckRun" | "countAnnotations" | "rateLimit"
  >;
  /** With `checkRunId` the check of an earlier life is gone on with. */
  readonly job: JobRecord;
  /** Of the workflow, relative to the repository's root: annotations without a file belong there. */
  readonly workflowFile: string;
  /** How many steps the workflow gives the job. */
  readonly stepCount?: number | undefined;
  /** A page about this job. */
  readonly detailsUrl?: string | undefined;
  /** Keeps the check's id for the next life. */
  onCreated(checkRunId: number): Promise<void>;
  /** Jobs of this installation that run now: they share its requests. */
  runningJobs(): number;
  readonly log: Log;
  /** The process stops: nothing more is sent. */
  readonly signal: AbortSignal;
  readonly now?: () => number;
  /** Rejects when the signal is aborted. */
  readonly sleep?: (ms: number, signal: AbortSignal) => Promise<void>;
};

/** GitHub takes no more of them in one update. */
const ANNOTATIONS_AT_ONCE = 50;

/** The name of a job's check: never that of GitHub's own. */
export function checkName(job: { readonly name: string }): string {
  return `Berth / ${job.name}`;
}

export function startCheckReporter(options: CheckReporterOptions): CheckReporter {
  const { job, installation, log, signal, now = Date.now, sleep = pause } = options;
  const { labels, profile } = job;
  const { stepCount, workflowFile } = options;
  const view = emptyJobView();
  let phase: Pick<CheckSubject, "waiting" | "ending"> =
    job.state === "queued" ? { waiting: job.reason ?? "" } : {};
  let startedAtMs = job.startedAtMs;
  let interruption: string | undefined;

  const loop = startUpdateLoop({
    isNew: job.checkRunId === undefined,
    send: openCheck(options, {
      state({ isWhole }) {
        const facts = { view, labels, profile, stepCount, startedAtMs, interruption };
        const isComplete = phase.ending !== undefined && isWhole;
        return renderCheck({ ...facts, ...(isComplete ? phase : { waiting: phase.waiting }) });
      },
      annotations: () => checkAnnotations(view, workflowFile),
    }),
    intervalMs: () =>
      updatePaceMs({
        isWaiting: phase.waiting !== undefined,
        runningJobs: options.runningJobs(),
        rateLimit: installation.rateLimit(),
        nowMs: now(),
      }),
    onFailure(error) {
      const facts = { job: job.id, error: textOf(error) };
      log.warn(facts, "check run not updated, trying again");
    },
    now,
    sleep,
    signal,
  });

  function fold(event: JobEvent, atMs: number | undefined): void {
    if (phase.ending !== undefined) return;
    applyJobEvent(view, event, atMs);
    const begins = event.type === "job_started";
    if (begins) {
      phase = {};
      startedAtMs = atMs ?? startedAtMs;
    }
    loop.changed({ isUrgent: begins });
  }

  return {
    waiting(reason) {
      if (phase.ending !== undefined || phase.waiting === reason) return;
      const isFirst = !phase.waiting;
      phase = { waiting: reason };
      loop.changed();
      // A check may have been made before anything was known; a whole minute without a reason leaves people guessing.
      if (isFirst) void loop.flush();
    },
    interrupted(why) {
      if (phase.ending !== undefined || interruption === why) return;
      interruption = why;
      loop.changed();
    },
    hear: (event) => fold(event, now()),
    async recall(told) {
      for await (const event of told) fold(event, undefined);
    },
    finished(ending) {
      phase = phase.ending === undefined ? { ending: { atMs: now(), ...ending } } : phase;
      return loop.finish();
    },
    flush: () => loop.flush(),
    [Symbol.asyncDispose]: () => loop[Symbol.asyncDispose](),
  };
}

type Shown = {
  /** `isWhole`: its annotations are there with this update. */
  state(options: { readonly isWhole: boolean }): CheckRunState;
  annotations(): readonly CheckAnnotation[];
};

/** The check run on GitHub: made when there is none, each annotation sent once. */
function openCheck(options: CheckReporterOptions, shown: Shown) {
  const { installation, job, log } = options;
  const { repository } = job;
  let id = job.checkRunId;
  /** How many annotations GitHub was given; unknown after a restart, and when an update failed that may have been done. */
  let given: number | undefined;
  let refused = 0;

  async function sendAll(): Promise<void> {
    if (id === undefined) {
      id = await create(shown.state({ isWhole: true }));
      if (shown.annotations().length === 0) return;
    }
    let rest = await restOfAnnotations(id);
    while (rest.length > ANNOTATIONS_AT_ONCE) {
      await update(id, shown.state({ isWhole: false }), rest.slice(0, ANNOTATIONS_AT_ONCE));
      rest = await restOfAnnotations(id);
    }
    await update(id, shown.state({ isWhole: true }), rest);
  }

  async function create(state: CheckRunState): Promise<number> {
    const check = {
      name: checkName(job),
      headSha: job.headSha,
      externalId: job.id,
      ...(options.detailsUrl !== undefined && { detailsUrl: options.detailsUrl }),
    };
    const made = await installation.createCheckRun(repository, check, state);
    // Without it the next life finds the check by its name and id.
    await options.onCreated(made).catch((error: unknown) => {
      log.warn({ job: job.id, error: textOf(error) }, "id of the check run not kept");
    });
    return made;
  }

  async function restOfAnnotations(checkRunId: number): Promise<readonly CheckAnnotation[]> {
    const all = shown.annotations();
    if (all.length === 0) return all;
    given ??= (await installation.countAnnotations(repository, checkRunId)) + refused;
    return all.slice(given);
  }

  async function update(
    checkRunId: number,
    state: CheckRunState,
    annotations: readonly CheckAnnotation[],
  ): Promise<void> {
    const before = given;
    if (annotations.length > 0) given = undefined;
    try {
      await installation.updateCheckRun(repository, checkRunId, state, annotations);
    } catch (error) {
      if (!isRefused(error) || annotations.length === 0) throw error;
      // What the job's steps say must not keep its conclusion from being shown.
      log.warn({ job: job.id, error: textOf(error) }, "annotations refused by GitHub");
      await installation.updateCheckRun(repository, checkRunId, state, []);
      refused += annotations.length;
    }
    if (before !== undefined) given = before + annotations.length;
  }

  return async function send(): Promise<"sent" | "refused"> {
    try {
      await sendAll();
      return "sent";
    } catch (error) {
      if (!isRefused(error)) throw error;
      const facts = { job: job.id, repository, error: textOf(error) };
      log.error(facts, "check run refused by GitHub");
      return "refused";
    }
  };
}

function isRefused(error: unknown): boolean {
  return error instanceof BerthError && error.code === "GITHUB_REFUSED";
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal });
}
