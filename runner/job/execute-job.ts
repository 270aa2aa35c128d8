import type { Readable } from "node:stream";
import type { ActionRepository, ActionSource } from "../actions/action-source.ts";
import { BerthError } from "../errors.ts";
import { createMasker } from "../logs/mask.ts";
import type { StepLog } from "../logs/step-log.ts";
import type { Journal, Shell } from "../shell/shell.ts";
import { mayBeReplaced, withoutOwnCheckouts } from "../steps/own-checkout.ts";
import { runAllSteps } from "../steps/run-all-steps.ts";
import { ownRepository } from "../steps/step-scope.ts";
import { Cancellation } from "./cancellation.ts";
import { completeJob } from "./complete-job.ts";
import type { JobPlaceRequest } from "./container-spec.ts";
import { plannedGithubContext, runnerName } from "./contexts.ts";
import { JobActions, readPins } from "./job-actions.ts";
import type { JobDeath } from "./job-death.ts";
import type { Conclusion, JobDescription } from "./job-description.ts";
import { describeEnd, isShellLost, isSuperseded, JobEnd, messageOf } from "./job-end.ts";
import type { JobEvent, JobUsage } from "./job-event.ts";
import { createJobReport, type StepReport } from "./job-report.ts";
import { JobState } from "./job-state.ts";
import { JobToken, noFreshToken } from "./job-token.ts";
import { maskSecrets, maskToken } from "./mask-secrets.ts";
import { ownNotes, type RunningJob } from "./running-job.ts";
import { planJob, setUpJob } from "./set-up-job.ts";
import type { Siblings } from "./siblings.ts";
import type { WorkingTree } from "./working-tree.ts";

/** Where a job's steps run, with its shell. Disposing of it removes all of it. */
export type JobPlace = AsyncDisposable & {
  readonly shell: Shell;
  readonly host: string;
  readonly image: string;
  /** Paths as the steps see them. */
  readonly paths: {
    readonly workspace: string;
    readonly temp: string;
    readonly toolCache: string;
    readonly actions: string;
    readonly home?: string;
    /** Where `github.event` is written; below `temp` when left out. */
    readonly eventFile?: string;
  };
  readonly containerId?: string;
  readonly networkId?: string;
  /** Containers beside the job's own; absent where there is no engine. */
  readonly siblings?: Siblings;
  /** Puts further actions where the request's are: those that a local action of the workspace names. */
  addActions?(actions: readonly ActionRepository[], signal: AbortSignal): Promise<void>;
  /** Unpacks a tar into a folder that exists; its entries belong to the job's user then. */
  unpack?(tar: Readable, folder: string, signal: AbortSignal): Promise<void>;
  /** Why the shell ended, in a sentence or two with what to do, and what of; asked after `SHELL_LOST`. */
  explainEnd?(): Promise<{ readonly why: string; readonly death: JobDeath } | undefined>;
  /** Lets go of everything without removing it: another process has taken the job over. Disposing does nothing then. */
  abandon?(): void;
};

/** What running a job needs from outside. */
export type ExecuteJobDeps = {
  /**
   * Makes the container (or folder) and opens its shell; `progress` lines go to the log of "Set up job". `placed` may be called as
   * soon as it is known where the job will run, so that its progress can be seen.
   */
  openPlace(
    request: JobPlaceRequest,
    options: {
      journal: Journal | undefined;
      progress(line: string): void;
      placed(where: { readonly host: string; readonly image: string }): void;
      signal: AbortSignal;
    },
  ): Promise<JobPlace>;
  report(event: JobEvent): void;
  /** Fetches what `uses:` names in other repositories. */
  actions?: ActionSource;
  /** What `actions/checkout` of the repository itself yields; without it that is the real action too. */
  workingTree?: WorkingTree;
  /**
   * A `github.token` that is good now, asked for before each step; it takes the place of `secrets.GITHUB_TOKEN`. To be quick as long as the
   * last one is good. When it fails the last one stays, and the step says so.
   */
  token?: () => Promise<string>;
  /**
   * The tokens that `token` gave earlier lives of the job. Steps may still have them: they are masked, too, and a command that has one is known again.
   */
  earlierTokens?: readonly string[];
  /** Checkpoints of an earlier life of this job; events that it reported are not reported again. */
  journal?: Journal;
  /** Ends the job at once, without its clean-up steps. */
  kill?: AbortSignal;
  /** How long a cancelled job may take to clean up, in milliseconds; 5 minutes when left out. */
  cancelTimeoutMs?: number;
  /** Berth's version, for the log. */
  version?: string;
};

export type JobResult = {
  readonly conclusion: Conclusion;
  readonly outputs: { readonly [name: string]: string };
  readonly reason?: string;
  /** Set when what ended the job, or made a step of it fail, was no fault of the step's. */
  readonly death?: JobDeath;
  /** Of a job in a container that came to "Complete job". */
  readonly usage?: JobUsage;
};

/** How much longer than the job's own time, and that for its clean-up, its place may last: for what comes before the first step. */
const MARGIN_SECONDS = 120;
const CANCEL_TIMEOUT_MS = 5 * 60_000;

/**
 * Runs one job from "Set up job" to "Complete job". `signal` cancels it as a user would.
 *
 * @throws {BerthError} `SHELL_SUPERSEDED` when another process has taken the job over; nothing is removed then.
 */
export async function executeJob(
  given: JobDescription,
  deps: ExecuteJobDeps,
  signal: AbortSignal,
): Promise<JobResult> {
  const { journal, kill, cancelTimeoutMs: graceMs = CANCEL_TIMEOUT_MS } = deps;
  const isComingBack = (journal?.checkpoints.length ?? 0) > 0;
  const life = { isReplaying: () => isComingBack };
  const isReplaying = () => life.isReplaying();
  const startedAt = journal?.startedAt ?? Date.now();
  const masker = createMasker();
  maskSecrets(given, masker);
  const token = new JobToken(given, {
    fresh: deps.token,
    earlier: deps.earlierTokens,
    learn: (text) => maskToken(text, masker),
  });
  const state = new JobState();
  const limitMs = given.timeoutMinutes * 60_000;
  let deadlineMs = isComingBack ? startedAt + limitMs : undefined;
  const report = createJobReport({
    job: given,
    masker,
    startedAt,
    isReplaying,
    report: deps.report,
  });
  using cancellation = new Cancellation({ signal, kill, graceMs, isReplaying });
  cancellation.onCancel(() => state.cancel());
  cancellation.onCancel(({ reason, isNews }) => {
    if (reason === "timeout" && isNews) {
      report.currentLog()?.annotate({ level: "error", message: timeoutOf(given) });
    }
  });

  async function end(error: unknown, step: StepReport, place?: JobPlace): Promise<JobEnd> {
    if (error instanceof JobEnd) return error;
    life.isReplaying = () => false;
    if (journal && place && !isSuperseded(error) && !place.shell.lost.aborted) {
      const doubt = await place.shell
        .confirm()
        .then(() => journal.confirm?.())
        .catch((cause: unknown) => cause);
      if (isSuperseded(doubt)) return end(doubt, step, place);
    }
    // Nobody watched it: what was to end it at its time did.
    const isOverdue = isShellLost(error) && deadlineMs !== undefined && Date.now() >= deadlineMs;
    const isAsked = cancellation.reason === "asked" || signal.aborted || kill?.aborted;
    const isTimeout = !isAsked && (isOverdue || cancellation.reason === "timeout");
    const conclusion = isAsked || isTimeout ? "cancelled" : "failure";
    if (isSuperseded(error)) {
      place?.abandon?.();
      return new JobEnd(conclusion, { reason: messageOf(error) }, error);
    }
    const { reason: unmasked, death } =
      isOverdue && isTimeout
        ? { reason: timeoutOf(given) }
        : await describeEnd(error, { conclusion, place });
    const reason = masker.mask(unmasked);
    step.log.annotate({ level: "error", message: reason });
    step.finished(conclusion, conclusion);
    return new JobEnd(conclusion, { reason, death: isTimeout ? "deadline" : death }, error);
  }

  const setUp = report.startStep("Set up job");
  try {
    const untilEnd = AbortSignal.any(kill ? [signal, kill] : [signal]);
    const tokenProblem = await token.refresh();
    if (tokenProblem !== undefined) {
      setUp.log.annotate({ level: "warning", message: noFreshToken(tokenProblem) });
    }
    const job = withToken(given, token);
    const plan = await planJob(job, { state, log: setUp.log, masker, version: deps.version });
    const actions = new JobActions(deps.actions);
    const fetched = await fetchActions(actions, job, { deps, log: setUp.log, signal: untilEnd });
    await using place = await deps.openPlace(
      {
        ...plan.request,
        ...(fetched.length > 0 ? { actions: fetched } : {}),
        timeLimitSeconds: Math.ceil((limitMs + graceMs) / 1000) + MARGIN_SECONDS,
      },
      {
        journal,
        progress: setUp.log.write,
        placed: report.started,
        signal: untilEnd,
      },
    );
    life.isReplaying = () => place.shell.replaying;
    report.started(place);
    const { workingTree } = deps;
    const context = { job, token, actions, workingTree };
    const shared = { ...context, place, state, report, masker, cancellation };
    const endHere: RunningJob["end"] = (error, step) => end(error, step, place);
    const ready = await setUpJob({ ...plan, fetched }, shared, setUp).catch(
      async (error: unknown) => {
        throw await endHere(error, setUp);
      },
    );
    const running: RunningJob = { ...ready, end: endHere };

    deadlineMs ??= Date.now() + limitMs;
    cancellation.setDeadline(deadlineMs);
    cancellation.settle();
    await runAllSteps(job.steps, running);
    const completed = await completeJob(running);
    const conclude = async (): Promise<JobResult> => {
      // A shell that is gone now has done all it had to.
      if (journal && !place.shell.lost.aborted) await place.shell.confirm().catch(unlessLost);
      journal?.confirm?.();
      const death = cancellation.reason === "timeout" ? "deadline" : state.death;
      const result = report.finished({
        conclusion: state.status,
        ...completed,
        ...(death && { death }),
      });
      // A life that began just now may not have seen this end, and then needs the place.
      journal?.confirm?.();
      return result;
    };
    return await conclude().catch(async (error: unknown) => {
      throw await endHere(error, setUp);
    });
  } catch (error) {
    const { conclusion, message, death, cause } = await end(error, setUp);
    if (isSuperseded(cause)) throw cause;
    return report.finished({ conclusion, outputs: {}, reason: message, ...(death && { death }) });
  }
}

/** Fetches what the steps use of other repositories; a later life of the job gets the commits of the first. */
async function fetchActions(
  actions: JobActions,
  job: JobDescription,
  { deps, log, signal }: { deps: ExecuteJobDeps; log: StepLog; signal: AbortSignal },
): Promise<readonly ActionRepository[]> {
  log.write("Prepare workflow directory\nPrepare all required actions");
  const containing = ownRepository(job);
  const asked = { workingTree: deps.workingTree, github: plannedGithubContext(job) };
  const first = deps.journal?.checkpoints.find(({ number }) => number === 1);
  return await actions.prepare(await withoutOwnCheckouts(job.steps, asked, containing), {
    pinned: readPins(ownNotes(first?.result.notes)),
    containing,
    isOptional: mayBeReplaced(asked, containing),
    log: log.write,
    signal,
  });
}

function unlessLost(error: unknown): void {
  if (!(error instanceof BerthError) || error.code !== "SHELL_LOST") throw error;
}

function timeoutOf(job: JobDescription): string {
  return `The job running on runner ${runnerName(job)} has exceeded the maximum execution time of ${job.timeoutMinutes} minutes.`;
}

function withToken(job: JobDescription, { current }: JobToken): JobDescription {
  return current === "" ? job : { ...job, secrets: { ...job.secrets, GITHUB_TOKEN: current } };
}
