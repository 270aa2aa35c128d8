import type { JobResult } from "../../runner/job/execute-job.ts";
import type { Conclusion, JobDescription } from "../../runner/job/job-description.ts";
import type { JobEvent } from "../../runner/job/job-event.ts";
import type { Log } from "../log.ts";
import type { GitHubJobRecord, JobRecord, RunRecord } from "../store/records.ts";
import type { Store } from "../store/store.ts";
import type { GitHubJobs } from "./github-jobs.ts";
import { githubVerdict } from "./github-verdict.ts";
import type { JobControl, JobControls } from "./job-controls.ts";
import { JobKeeper } from "./job-keeper.ts";
import type { AdmittedJob } from "./run-job.ts";

/** Tells GitHub of one job; never throws into it. */
export type JobReport = {
  waiting(reason: string): void;
  /** A job that runs cannot be heard now, and why; `undefined` once it can. */
  interrupted(why: string | undefined): void;
  hear(event: JobEvent): void;
  /** What an earlier life heard. */
  recall(told: AsyncIterable<JobEvent>): Promise<void>;
  /** What was told is told anew, of another try. */
  restart(): void;
  /** The record has its end; what is left to be said is said in the background. */
  finished(): void;
  /** After that: the record has more to tell. */
  retell(): void;
  /** Nothing more is said, now that the record has no end after all. Resolves when nothing is under way. */
  close(): Promise<void>;
};

/** Why a job may not run: shown as `action_required`. */
export type Refusal = { readonly reason: string };

export type LegDeps = {
  readonly run: RunRecord;
  readonly store: Store;
  readonly githubJobs: GitHubJobs;
  readonly controls: JobControls;
  readonly log: Log;
  /** By job key: why a job of the workflow cannot run here though the rest can. */
  readonly blocked: { readonly [job: string]: string };
  isOurs(labels: readonly string[]): boolean;
  /** The result of a job that a re-run does not repeat. */
  kept(description: JobDescription): Promise<JobResult | undefined>;
  /** Applies profile and policy. */
  admit(description: JobDescription): Promise<AdmittedJob | Refusal>;
  startReport(keeper: JobKeeper): JobReport;
  runJob(
    job: AdmittedJob,
    keeper: JobKeeper,
    report: JobReport,
    signal: AbortSignal,
  ): Promise<JobResult>;
};

/**
 * One leg of an adopted run to its end: a job of ours, or one that GitHub gives to others and tells of. The same leg in a later life
 * of the service gets the result that it had.
 */
export async function runLeg(
  description: JobDescription,
  deps: LegDeps,
  signal: AbortSignal,
): Promise<JobResult> {
  const kept = await deps.kept(description);
  if (kept !== undefined) return kept;
  const known = await deps.store.jobs.get(description.id);
  // What was begun stays ours, though a profile that its labels named may be gone since.
  const isOurs = known !== undefined || deps.isOurs(description.labels);
  if (!isOurs) return await hostedResult(description, deps, signal);
  if (known?.state === "completed") return await knownResult(description, known, deps, signal);

  const keeper = new JobKeeper(known ?? (await newRecord(description, deps)), deps.store);
  using control = deps.controls.open(keeper);
  if (known === undefined) await keeper.change({}, "Became ready to run.");
  obeyEarlier(keeper.record, control, await githubJobOf(description.name, deps), deps.run);
  const report = deps.startReport(keeper);
  const ours = { ...deps, keeper, control, report };
  const result = await runOurs(description, ours, signal).catch(async (error: unknown) => {
    // The next try has a report of its own, which this one must not contradict.
    await report.close();
    throw error;
  });
  return control.stopped?.kind === "taken" && result.conclusion === "cancelled"
    ? await hostedResult(description, deps, signal)
    : result;
}

type OursDeps = LegDeps & {
  readonly keeper: JobKeeper;
  readonly control: JobControl;
  readonly report: JobReport;
};

async function runOurs(
  description: JobDescription,
  deps: OursDeps,
  signal: AbortSignal,
): Promise<JobResult> {
  const { keeper, control, report, blocked } = deps;
  const why = blocked[description.job];
  const asked = why === undefined ? await deps.admit(description) : { reason: why };
  const isRunning = keeper.record.state === "running";
  const admitted = "reason" in asked && isRunning ? asBegun(description, deps) : asked;
  if ("reason" in admitted) {
    await finish(deps, { conclusion: "action_required", outputs: {}, reason: admitted.reason });
    return { conclusion: "failure", outputs: {}, reason: admitted.reason };
  }

  const either = AbortSignal.any([signal, control.signal]);
  const unapproved = await waitForApproval(description, deps, either);
  if (unapproved !== undefined) {
    await finish(deps, unapproved);
    return unapproved;
  }
  // Also one that is cancelled: an earlier life may have begun it.
  const result = await deps.runJob(admitted, keeper, report, either);
  const stopped = control.stopped;
  if (stopped?.kind === "taken" && result.conclusion === "cancelled") {
    const reason = `The runner ${stopped.runner} took this job; its result is with GitHub's own check.`;
    await finish(deps, { conclusion: "neutral", outputs: {}, reason });
  } else {
    const reason =
      stopped?.kind === "cancelled" ? `Cancelled by ${stopped.by}.` : (result.reason ?? undefined);
    await finish(deps, { ...result, ...(reason !== undefined && { reason }) });
  }
  return result;
}

/** A job that runs was let in under the configuration of then; its container and its lease are there. */
function asBegun(description: JobDescription, { run }: LegDeps): AdmittedJob {
  const need = { gpus: 0, rootless: false, dind: false };
  return { description, repository: run.repository, need, priority: 0, retries: 0 };
}

/**
 * A job with an environment starts when GitHub queues it, so that reviewers and wait timers hold; or it was cancelled before.
 *
 * @returns How it ended on GitHub without that, such as by a reviewer who rejected it.
 */
async function waitForApproval(
  description: JobDescription,
  { keeper, report, githubJobs, run }: OursDeps,
  signal: AbortSignal,
): Promise<JobResult | undefined> {
  const { isApproved, state } = keeper.record;
  if (description.environment === undefined || isApproved || state === "running") return undefined;
  const decided = (jobs: readonly GitHubJobRecord[]) =>
    jobs.find(({ name, status }) => name === description.name && status !== "waiting");
  const reason = "Waits for GitHub to queue it: its environment may need an approval.";
  try {
    const jobs = await githubJobs.waitFor(run, (all) => ({ decided: decided(all) }), signal);
    if (jobs.decided === undefined) {
      report.waiting(reason);
      await keeper.change({ reason }, `Waits: ${reason}`);
    }
    const job = jobs.decided ?? (await githubJobs.waitFor(run, decided, signal));
    if (job.status === "completed" && !job.runnerName) return unapprovedEnd(job);
    await keeper.change({ isApproved: true });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
  return undefined;
}

/** Whatever ended it, Berth has not seen that it may start. */
function unapprovedEnd({ conclusion = "failure" }: GitHubJobRecord): JobResult {
  const reason = `GitHub ended it (${conclusion}) before it was queued there: its environment was not approved. Run it again on GitHub, which asks for the approval anew.`;
  return {
    conclusion: conclusion === "cancelled" || conclusion === "skipped" ? conclusion : "failure",
    outputs: {},
    reason,
  };
}

async function finish(
  { keeper, report, log }: OursDeps,
  end: Omit<JobResult, "conclusion"> & {
    readonly conclusion: NonNullable<JobRecord["conclusion"]>;
  },
): Promise<void> {
  const { conclusion, outputs, reason, death, usage } = end;
  const happened =
    reason === undefined ? `Ended: ${conclusion}.` : `Ended: ${conclusion}. ${reason}`;
  const completedAtMs = Date.now();
  const result = { conclusion, outputs, reason, death, usage };
  await keeper.change({ state: "completed", ...result, completedAtMs });
  report.finished();
  log.info({ job: keeper.record.id, conclusion, ...(reason && { reason }) }, "job ended");
  await keeper.note(happened);
}

/** A job that a runner of somebody else's runs, or will: GitHub tells how it ended, but not what it put out. */
async function hostedResult(
  { name, job }: JobDescription,
  { githubJobs, run, blocked }: LegDeps,
  signal: AbortSignal,
): Promise<JobResult> {
  // GitHub will never queue it, and so never tell of it.
  if (blocked[job] !== undefined) return { conclusion: "skipped", outputs: {} };
  const ended = (jobs: readonly GitHubJobRecord[]) =>
    jobs.find((other) => other.name === name && other.status === "completed");
  try {
    const { conclusion } = await githubJobs.waitFor(run, ended, signal);
    return { conclusion: asConclusion(conclusion), outputs: {} };
  } catch (error) {
    if (signal.aborted) return { conclusion: "cancelled", outputs: {} };
    throw error;
  }
}

/** GitHub knows some more conclusions; all of those count as a failure for the jobs that follow. */
function asConclusion(conclusion: string | undefined): Conclusion {
  switch (conclusion) {
    case "success":
    case "cancelled":
    case "skipped":
      return conclusion;
    case "neutral":
      return "success";
    default:
      return "failure";
  }
}

async function knownResult(
  description: JobDescription,
  { conclusion, outputs = {} }: JobRecord,
  deps: LegDeps,
  signal: AbortSignal,
): Promise<JobResult> {
  if (conclusion === "neutral") return await hostedResult(description, deps, signal);
  if (conclusion === "action_required" || conclusion === undefined) {
    return { conclusion: "failure", outputs: {} };
  }
  return { conclusion, outputs };
}

async function newRecord(description: JobDescription, deps: LegDeps): Promise<JobRecord> {
  const { run } = deps;
  const onGitHub = await githubJobOf(description.name, deps);
  return {
    id: description.id,
    runId: run.id,
    jobKey: description.job,
    repository: run.repository,
    installationId: run.installationId,
    name: description.name,
    labels: description.labels,
    headSha: run.headSha,
    workflowFile: description.workflowFile,
    ...(onGitHub !== undefined && { githubJobId: onGitHub.id }),
    state: "queued",
    retries: 0,
    isReported: false,
    createdAtMs: Date.now(),
  };
}

async function githubJobOf(
  name: string,
  { store, run }: LegDeps,
): Promise<GitHubJobRecord | undefined> {
  const jobs = await store.githubJobs.ofRun(run.githubRunId, run.attempt);
  return jobs.find((job) => job.name === name);
}

/** What was asked of the job before this life of it began. */
function obeyEarlier(
  record: JobRecord,
  control: JobControl,
  onGitHub: GitHubJobRecord | undefined,
  run: RunRecord,
): void {
  if (record.cancelRequest) control.stop({ kind: "cancelled", by: record.cancelRequest.by });
  // A job that somebody runs again here has ended on GitHub, or was taken there, long since.
  if (onGitHub === undefined || run.rerunOf !== undefined) return;
  const verdict = githubVerdict(onGitHub, run);
  if (verdict.kind !== "go-on") control.stop(verdict);
}
