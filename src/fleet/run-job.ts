import type { ActionSource } from "../../runner/actions/action-source.ts";
import { BerthError, textOf } from "../../runner/errors.ts";
import { type ExecuteJobDeps, executeJob, type JobResult } from "../../runner/job/execute-job.ts";
import { deathOf } from "../../runner/job/job-death.ts";
import type { JobDescription } from "../../runner/job/job-description.ts";
import type { Annotation } from "../../runner/job/job-event.ts";
import type { Profile } from "../config/profile.ts";
import type { ContainerSettings } from "../containers/settings.ts";
import type { Log } from "../log.ts";
import type { Need } from "../profiles/need.ts";
import type { Lease, Scheduler } from "../scheduler/scheduler.ts";
import type { JobJournal } from "../store/job-journal.ts";
import type { LeaseRecord } from "../store/records.ts";
import { cancelOnceBack } from "./cancel-once-back.ts";
import { executionId } from "./execution-id.ts";
import { withGoneGpus } from "./gone-gpus.ts";
import type { HostPlaces } from "./host-places.ts";
import type { JobKeeper } from "./job-keeper.ts";
import type { KeepTerms, KeptJobs } from "./kept-jobs.ts";
import { keepLeft, leaveFailed } from "./leave-failed.ts";
import { clearRemains, describeLost } from "./lost-leases.ts";
import type { JobReport } from "./run-leg.ts";
import { isLookedAt, isUntouched, tryPlace } from "./try-place.ts";
import { waitForPlace } from "./wait-for-place.ts";
import type { HostWatch } from "./watch-hosts.ts";

/** For clean-up steps and what comes before the first step, and some more. */
const LONGEST_END_MS = 10 * 60_000;

type OpenPlace = ExecuteJobDeps["openPlace"];

/** A job that policy lets run, with what its labels and its profile come to. */
export type AdmittedJob = {
  readonly description: JobDescription;
  readonly repository: string;
  readonly need: Need;
  readonly priority: number;
  /** How often it may be run again when its host has failed it. */
  readonly retries: number;
  readonly image?: string | undefined;
  /** The name of its environment. */
  readonly environment?: string | undefined;
  readonly settings?: ContainerSettings | undefined;
  /** What its workflow's own containers may ask for. */
  readonly profile?: Profile;
};

/** Tokens of one job. Disposing of it revokes what is still good. */
export type JobTokens = AsyncDisposable & {
  /** Those of earlier lives. */
  readonly earlier: readonly string[];
  /** What the workflow wants of a token and the App cannot give, such as `packages: write`. */
  readonly missing: readonly string[];
  /**
   * One that is good for a while yet.
   *
   * @throws {BerthError} `GITHUB_REFUSED`
   */
  fresh(): Promise<string>;
};

/** What a job's life needs from outside. */
export type RunJobDeps = {
  readonly place: Scheduler["place"];
  hostOf(name: string): HostPlaces | undefined;
  /** Hears that a host has failed a job, so that it is looked at at once. */
  doubt?(host: string): void;
  /** Waits for a host that does not answer; left out: its jobs do not. */
  readonly answers?: HostWatch["answers"];
  /** Looks whether the GPUs of a lease are still there: those that are not, in words. */
  goneGpus?(lease: LeaseRecord): Promise<readonly string[]>;
  /** Tells the scheduler what a host has found out of its GPUs. */
  retellHosts?(): Promise<void>;
  openJournal(executionId: string): Promise<JobJournal>;
  /** The signal ends the wait for the first of them. */
  openTokens(job: AdmittedJob, executionId: string, signal: AbortSignal): Promise<JobTokens>;
  openActions(token: string): ActionSource & AsyncDisposable;
  secretsFor(job: AdmittedJob): Promise<{ readonly [name: string]: string }>;
  /** What the workflow asks for and Berth does not have, to be shown beside the job. */
  lacks(job: AdmittedJob, held: ReadonlySet<string>): readonly Annotation[];
  /** Looks at what is asked for once expressions are evaluated; throws where policy forbids it. */
  guard(open: OpenPlace, job: AdmittedJob): OpenPlace;
  /** For how long the container of a job is kept when it fails, and for whom. */
  keepTerms?(job: AdmittedJob): KeepTerms | undefined;
  readonly kept?: Pick<KeptJobs, "has" | "keep">;
  readonly report: Omit<JobReport, "finished" | "close">;
  readonly version: string;
  readonly log: Log;
};

/**
 * One job, from the queue to its released lease; the same call in a later life of the service goes on where the last one was. Every way
 * out removes what was made for it, then gives the lease back. `signal` cancels this job. A service that stops does not unwind this:
 * its process just ends, and the next one comes back to the container.
 *
 * @throws What is wrong with the service itself, such as its store.
 */
export async function runJob(
  job: AdmittedJob,
  keeper: JobKeeper,
  deps: RunJobDeps,
  signal: AbortSignal,
): Promise<JobResult> {
  let free = 0;
  for (;;) {
    const tried = await tryOnce(job, keeper, deps, signal);
    if (tried === WAIT_AGAIN) continue;
    const { isUntouched = false, ...result } = tried;
    const { retries } = keeper.record;
    if (!isHostsFault(result) || signal.aborted) return result;
    // Nothing of it has run: it costs no try, as long as another host or other GPUs may be better.
    const isFree = (isUntouched || result.death === "gpu-mismatch") && free < MOST_FREE;
    if (!isFree && retries >= job.retries + free) return result;
    if (isFree) {
      free++;
      await deps.retellHosts?.();
      if (isUntouched) await isLookedAt(keeper.record.host, deps, signal);
    }

    const why = result.reason ?? "Its host failed it.";
    const changes = { state: "queued", retries: retries + 1, reason: why } as const;
    // Its next try has a check of its own, and may get another host.
    const forgotten = { checkRunId: undefined, host: undefined, startedAtMs: undefined };
    await keeper.change(
      { ...changes, ...forgotten },
      isFree
        ? `Goes elsewhere: ${why}`
        : `Is run again (${retries + 1} of ${job.retries + free}): ${why}`,
    );
    deps.log.warn({ job: keeper.record.id, death: result.death }, "job is run again");
    deps.report.restart();
  }
}

/** GPUs are kept from jobs when a container did not get them, and so are hosts that were lost; of a fleet where that goes on more is wrong. */
const MOST_FREE = 3;

/** `isUntouched`: its host was lost before anything of it ran. */
type Tried = JobResult & { readonly isUntouched?: boolean };

/** `isLeft`: its container is there still, and somebody has to see to it. */
type Executed = Tried & { readonly isLeft: boolean };

/** Others had taken the GPUs of its lease. */
const WAIT_AGAIN = Symbol("waits again");

/** A job that took too long would do so again. */
function isHostsFault({ death }: JobResult): boolean {
  return death !== undefined && death !== "deadline";
}

async function tryOnce(
  job: AdmittedJob,
  keeper: JobKeeper,
  deps: RunJobDeps,
  signal: AbortSignal,
): Promise<Tried | typeof WAIT_AGAIN> {
  if (deps.kept?.has(keeper.record.id)) {
    // What it was leased is kept with its container: the life that did so died before it had noted the end.
    const ended = await endedBefore(keeper, deps);
    await using _tokens = await deps.openTokens(job, executionId(keeper.record), signal);
    if (ended !== undefined) return ended;
  }
  const lease = await waitForPlace(job, keeper, deps, signal);
  if (lease === undefined) return (await endedBefore(keeper, deps)) ?? cancelledBefore(signal);
  await using _lease = lease;
  const host = deps.hostOf(lease.record.host);
  const id = executionId(keeper.record);
  if (host === undefined) {
    await using _tokens = await deps.openTokens(job, id, signal);
    return hostGone(lease.record.host);
  }
  await using journal = await openedJournal(id, deps);
  if (journal instanceof BerthError) {
    await host.removeJob(id);
    return { conclusion: "failure", outputs: {}, reason: textOf(journal) };
  }
  if (journal.isFinished) {
    const result = await toldResult(journal, deps);
    // Its tokens end with it.
    await using _tokens = await deps.openTokens(job, id, signal);
    // The life that finished it may have died before it had removed everything.
    await host.removeJob(id);
    return result;
  }

  const claim = await claimGpus(job, { id, host, lease, journal }, deps, signal);
  if (claim === WAIT_AGAIN) return WAIT_AGAIN;
  if (claim instanceof BerthError) {
    await using _tokens = await deps.openTokens(job, id, signal);
    deps.doubt?.(host.name);
    const death = deathOf(claim) ?? "engine-lost";
    return { conclusion: "failure", outputs: {}, death, reason: textOf(claim), isUntouched: true };
  }
  await using claims = new AsyncDisposableStack();
  claims.use(claim);

  if (keeper.record.state !== "running") {
    const changes = { state: "running", host: host.name, startedAtMs: journal.startedAt } as const;
    const { profile } = job.need;
    await keeper.change({ ...changes, profile, reason: undefined }, `Runs on ${host.name}.`);
    deps.log.info({ job: id, host: host.name, repository: job.repository }, "job starts");
  } else {
    keeper.tell({ reason: undefined });
    await deps.report.recall(journal.told());
  }

  const running = { id, host, lease, journal, keeper };
  const { isLeft, ...result } = await execute(job, running, deps, signal);
  if (isLeft) {
    const retell = () => deps.report.retell();
    const left = { keeper, host, lease, claims, retell, terms: deps.keepTerms?.(job) };
    await keepLeft({ ...left, isDead: result.death !== undefined }, deps.kept);
  }
  return result;
}

/** Takes the lease's GPUs on their machine. A job that runs already has them: who took them since is told in the log. */
async function claimGpus(
  { need }: AdmittedJob,
  { id, host, lease, journal }: Omit<Try, "keeper">,
  { retellHosts, log }: RunJobDeps,
  signal: AbortSignal,
): Promise<AsyncDisposable | undefined | BerthError | typeof WAIT_AGAIN> {
  if (lease.record.gpus.length === 0 || host.claimGpus === undefined) return undefined;
  const hasBegun = journal.checkpoints.length > 0;
  try {
    const claim = await host.claimGpus({ id, lease: lease.record, need }, signal);
    if (claim.taken === undefined) return claim;
    log.warn({ job: id, host: host.name, taken: claim.taken }, "GPUs are taken by others");
  } catch (error) {
    if (signal.aborted || !(error instanceof BerthError)) throw error;
    if (!hasBegun) return error;
    log.warn({ job: id, host: host.name, error: textOf(error) }, "GPUs not claimed again");
  }
  if (hasBegun) return undefined;
  await retellHosts?.();
  return WAIT_AGAIN;
}

/** A journal that cannot be read will not be better the next time: the job ends with the words for it. */
async function openedJournal(
  id: string,
  { openJournal }: RunJobDeps,
): Promise<JobJournal | (BerthError & AsyncDisposable)> {
  try {
    return await openJournal(id);
  } catch (error) {
    if (!(error instanceof BerthError) || error.code !== "JOURNAL_MISMATCH") throw error;
    return Object.assign(error, { [Symbol.asyncDispose]: async () => {} });
  }
}

/** A job that ended, and gave its lease back, in a life that died before it had noted that. */
async function endedBefore(
  { record }: JobKeeper,
  deps: RunJobDeps,
): Promise<JobResult | undefined> {
  if (record.state !== "running") return undefined;
  await using journal = await deps.openJournal(executionId(record));
  return journal.isFinished ? await toldResult(journal, deps) : undefined;
}

type Try = {
  readonly id: string;
  readonly host: HostPlaces;
  readonly lease: Lease;
  readonly journal: JobJournal;
  readonly keeper: JobKeeper;
};

async function execute(
  job: AdmittedJob,
  { id, host, lease, journal, keeper }: Try,
  deps: RunJobDeps,
  signal: AbortSignal,
): Promise<Executed> {
  await using tokens = await deps.openTokens(job, id, signal);
  const token = await tokens.fresh().catch((error: unknown) => noToken(error, signal));
  if (typeof token !== "string") {
    await host.removeJob(id);
    const { job: key, name } = job.description;
    // A later life does not begin it again.
    journal.record({ type: "job_finished", job: key, name, ms: 0, ...token });
    return { ...token, isLeft: false };
  }
  await using actions = deps.openActions(token);
  const secrets = { ...(await deps.secretsFor(job)), GITHUB_TOKEN: token };
  if (journal.checkpoints.length === 0) {
    const { job: key, name } = job.description;
    const notices = [...deps.lacks(job, new Set(Object.keys(secrets))), ...tokenLacks(tokens)];
    for (const notice of notices) {
      const event = { type: "annotation", job: key, name, step: 1, ...notice } as const;
      // In the journal too: annotations are counted when a later life goes on with the check.
      journal.record(event);
      deps.report.hear(event);
    }
  }
  const failed = leaveFailed(deps.keepTerms?.(job), signal);
  const terms = {
    keep: failed.keep,
    lease: lease.record,
    need: job.need,
    image: job.image,
    settings: job.settings,
    dind: job.profile?.dind,
  };
  const guarding = { ...deps, guard: (open: OpenPlace) => deps.guard(open, job) };
  const place = tryPlace({ id, host, journal, terms, keeper }, guarding, signal);
  const { openPlace } = place;
  const cancellable = place.hasBegun() ? cancelOnceBack(openPlace, signal) : { openPlace, signal };
  const result = await executeJob(
    { ...job.description, id, secrets },
    {
      openPlace: cancellable.openPlace,
      report(event) {
        journal.record(event);
        failed.hear(event);
        deps.report.hear(event);
      },
      actions,
      token: () => tokens.fresh(),
      earlierTokens: tokens.earlier,
      journal,
      version: deps.version,
    },
    cancellable.signal,
  );
  // What an engine that was gone could not remove when the place was left, or what an earlier life began to make.
  const isLeft = failed.isLeft();
  if (!isLeft && (result.death !== undefined || journal.generation > 1)) {
    const isClear = await clearRemains(host, id);
    if (!isClear) {
      const untilMs = endOf(job);
      await lease.keepLost({ execution: id, untilMs, bootId: await place.bootId() });
      await keeper.note(describeLost({ ...lease.record, lost: { execution: id, untilMs } }));
    }
  }
  if (result.death !== undefined && result.death !== "deadline") deps.doubt?.(host.name);
  if (isUntouched(result, place)) return { ...result, isUntouched: true, isLeft };
  return { ...(await withGoneGpus(result, lease.record, deps)), isLeft };
}

/** When a container that runs on unseen has ended itself at the latest. */
function endOf({ description }: AdmittedJob): number {
  return Date.now() + description.timeoutMinutes * 60_000 + LONGEST_END_MS;
}

/** @throws What may be over the next time. */
function noToken(error: unknown, signal: AbortSignal): JobResult {
  if (signal.aborted) return cancelledBefore(signal);
  if (!(error instanceof BerthError) || error.code !== "GITHUB_REFUSED") throw error;
  return { conclusion: "failure", outputs: {}, reason: textOf(error) };
}

function tokenLacks({ missing }: JobTokens): Annotation[] {
  if (missing.length === 0) return [];
  const message = `github.token lacks ${missing.join(", ")}: the App was not given that. Change its permissions on GitHub.`;
  return [{ level: "warning", message }];
}

/** How a job ended in an earlier life of the service, which died before it had noted that. */
async function toldResult(journal: JobJournal, { report }: RunJobDeps): Promise<JobResult> {
  await report.recall(journal.told());
  let result: JobResult = { conclusion: "failure", outputs: {} };
  for await (const event of journal.told()) {
    if (event.type !== "job_finished") continue;
    const { conclusion, outputs, reason, death, usage } = event;
    result = {
      ...{ conclusion, outputs },
      ...(reason && { reason }),
      ...(death && { death }),
      ...(usage && { usage }),
    };
  }
  return result;
}

function cancelledBefore(signal: AbortSignal): JobResult {
  const { reason } = signal;
  return {
    conclusion: "cancelled",
    outputs: {},
    ...(typeof reason === "string" && { reason }),
  };
}

function hostGone(host: string): JobResult {
  return {
    conclusion: "failure",
    outputs: {},
    death: "engine-lost",
    reason: `The job ran on the host ${host}, which is not in berth.yml any more.`,
  };
}
