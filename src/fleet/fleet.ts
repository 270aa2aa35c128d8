import PQueue from "p-queue";
import type { JobResult } from "../../runner/job/execute-job.ts";
import type { JobDescription } from "../../runner/job/job-description.ts";
import { ConcurrencyGroups } from "../../runner/workflow/concurrency-groups.ts";
import type { BegunLeg } from "../../runner/workflow/run-legs.ts";
import type { IntakeEvent } from "../intake/intake-event.ts";
import type { Log } from "../log.ts";
import type { GitHubJobRecord, JobRecord, RunRecord } from "../store/records.ts";
import type { Store } from "../store/store.ts";
import type { Claim } from "./claim.ts";
import { GitHubJobs } from "./github-jobs.ts";
import { githubVerdict, isDropped } from "./github-verdict.ts";
import { JobControls } from "./job-controls.ts";
import { JobKeeper } from "./job-keeper.ts";
import { persist } from "./persist.ts";
import { CANCEL_ACTION } from "./report/render-check.ts";
import { isRepeated, latestRuns, rerunRecord } from "./rerun.ts";
import { ReturnGate } from "./return-gate.ts";
import { RunKeeper } from "./run-keeper.ts";
import type { LegDeps } from "./run-leg.ts";
import { runLeg } from "./run-leg.ts";
import { type Adopted, type Adoption, liveRun, type UnstartedJob } from "./run-life.ts";

/** What the fleet needs from outside; `src/fleet/open-fleet.ts` has the real ones. */
export type FleetDeps = {
  readonly store: Store;
  readonly log: Log;
  /** Of the configuration as it is now. */
  claim(): Claim;
  adopt(run: RunRecord, signal: AbortSignal): Promise<Adoption>;
  release(adopted: Adopted, githubJobs: GitHubJobs, signal: AbortSignal): Promise<void>;
  /** What a leg needs beside the run and its jobs. */
  legDeps(adopted: Adopted): Pick<LegDeps, "kept" | "admit" | "startReport" | "runJob">;
  /** Tells GitHub of a job that never could run. */
  reportEnded(record: JobRecord): void;
};

type ActiveRun = {
  readonly keeper: RunKeeper;
  readonly cancel: AbortController;
  readonly done: Promise<void>;
};

/** Follows the runs of which some job is ours, from the first event to the last report. */
export class Fleet {
  readonly #deps: FleetDeps;
  readonly #stopped: AbortSignal;
  readonly #githubJobs: GitHubJobs;
  readonly #controls = new JobControls();
  readonly #active = new Map<string, ActiveRun>();
  readonly #groups = new Map<string, ConcurrencyGroups>();
  readonly #gate = new ReturnGate();
  readonly #resumed = Promise.withResolvers<void>();
  /** Room is the scheduler's business. */
  readonly #queue = new PQueue({ concurrency: Number.POSITIVE_INFINITY });

  /** @param stopped Aborted when this process takes nothing up any more; what runs is left to the next one. */
  constructor(deps: FleetDeps, stopped: AbortSignal) {
    this.#deps = deps;
    this.#stopped = stopped;
    this.#githubJobs = new GitHubJobs(deps.store.githubJobs);
    this.#resumed.promise.catch(() => {}); // heard by whoever waits for it
    stopped.addEventListener("abort", () => this.#resumed.reject(stopped.reason), { once: true });
  }

  get controls(): JobControls {
    return this.#controls;
  }

  /** Has the check of a job that ended in an earlier life say what is known by now. */
  retell(record: JobRecord): void {
    this.#deps.reportEnded(record);
  }

  /** Takes up what an earlier life left. */
  async resume(): Promise<void> {
    const { store, log } = this.#deps;
    // Read before anything goes on: what ends in this life tells of itself.
    const unreported = await store.jobs.unreported();
    const open = await store.runs.open();
    const begun = await Promise.all(open.map(({ id }) => this.#begunJobs(id)));
    this.#gate.expect(begun.flatMap((jobs) => [...jobs.keys()]));
    for (const run of open) {
      // A re-run is newer than what it repeats, and holds nothing before that has ended.
      const repeated = run.rerunOf && this.#active.get(run.rerunOf.runId);
      this.#start(new RunKeeper(run, store.runs), repeated?.done);
    }
    for (const record of unreported) this.#deps.reportEnded(record);
    this.#resumed.resolve();
    if (open.length > 0) log.info({ runs: open.length }, "runs are taken up again");
  }

  /** Hears what GitHub tells, once `resume` is done. What must be remembered is durable when this resolves. */
  async hear(event: IntakeEvent): Promise<void> {
    await this.#resumed.promise;
    switch (event.type) {
      case "job":
        return await this.#hearJob(event.job);
      case "run_cancelled":
        return await this.#hearRunCancelled(event);
      case "check_action":
        if (event.identifier === CANCEL_ACTION.identifier) await this.#cancelByCheck(event);
        return;
      case "check_rerequested":
        return await this.#rerun(event);
      case "installation":
        return;
      default:
        return event satisfies never;
    }
  }

  /** False when the job has ended already, `undefined` when there is none. */
  async cancel(jobId: string, by: string): Promise<boolean | undefined> {
    await this.#resumed.promise;
    const { store } = this.#deps;
    const job = this.#controls.get(jobId)?.keeper.record ?? (await store.jobs.get(jobId));
    if (job === undefined || job.state === "completed") return job && false;
    const cancelRequest = { by, atMs: Date.now() };
    // Without a control it waits to be tried again after a failure of the service's, and reads this then.
    const keeper = this.#controls.get(jobId)?.keeper ?? new JobKeeper(job, store);
    await keeper.change({ cancelRequest }, `${by} asked for its cancellation.`);
    const control = this.#controls.get(jobId);
    if (control === undefined) return true;
    // One that was opened meanwhile may have read the record as it was before.
    if (control.keeper !== keeper) await control.keeper.change({ cancelRequest });
    control.stop({ kind: "cancelled", by });
    return true;
  }

  async #hearJob(job: GitHubJobRecord): Promise<void> {
    const { store } = this.#deps;
    this.#githubJobs.changed(job);
    const runId = `${job.githubRunId}-${job.attempt}`;
    const run = this.#active.get(runId)?.keeper.record ?? (await store.runs.get(runId));
    if (run === undefined) {
      const isWanted = job.status === "queued" || job.status === "waiting";
      if (isWanted && this.#deps.claim().isOurs(job.labels)) await this.#begin(runId, job);
      return;
    }
    if (run.state === "left") return await this.#explain(run, job, run.reason ?? "");
    // Whatever its labels mean by now: what was begun is ours.
    const control = this.#controls.named(runId, job.name);
    if (control === undefined) return;
    if (control.keeper.record.githubJobId === undefined) {
      await control.keeper.change({ githubJobId: job.id });
    }
    const verdict = githubVerdict(job, run);
    if (verdict.kind !== "go-on") control.stop(verdict);
  }

  async #begin(id: string, job: GitHubJobRecord): Promise<void> {
    const { repository, repositoryId, installationId, githubRunId, attempt, headSha } = job;
    const record: RunRecord = {
      id,
      ...{ repository, repositoryId, installationId, githubRunId, attempt, headSha },
      state: "new",
      createdAtMs: Date.now(),
    };
    const keeper = new RunKeeper(record, this.#deps.store.runs);
    await keeper.change({});
    this.#start(keeper);
  }

  #start(keeper: RunKeeper, after: Promise<void> = Promise.resolve()): void {
    const { id } = keeper.record;
    if (this.#active.has(id)) return;
    const cancel = new AbortController();
    if (keeper.record.cancelled) cancel.abort(`Cancelled by ${keeper.record.cancelled.by}.`);
    const done = after
      .then(() => this.#persist(`run ${id}`, () => this.#live(keeper, cancel.signal)))
      .finally(() => {
        this.#active.delete(id);
        this.#gate.runEnded(id);
      })
      .then(() => {});
    this.#active.set(id, { keeper, cancel, done });
  }

  async #live(keeper: RunKeeper, cancelled: AbortSignal): Promise<void> {
    const { adopt, release, store } = this.#deps;
    await liveRun(
      keeper,
      {
        adopt: (run) => adopt(run, this.#stopped),
        explainLeft: async (run, reason) => {
          const jobs = await store.githubJobs.ofRun(run.githubRunId, run.attempt);
          for (const job of jobs) await this.#explain(run, job, reason);
        },
        begun: ({ id }) => this.#begunJobs(id),
        runLeg: (adopted, description, signal) => this.#runLeg(adopted, description, signal),
        unstarted: (adopted, job) => this.#noteUnstarted(adopted, job),
        release: (adopted, signal) => release(adopted, this.#githubJobs, signal),
        groupsOf: (repository) => this.#groupsOf(repository),
        queue: this.#queue,
      },
      { cancelled, stopped: this.#stopped },
    );
  }

  /** An error here is none of the job's doing; thrown, it would cancel all others of the run. */
  async #runLeg(
    adopted: Adopted,
    description: JobDescription,
    signal: AbortSignal,
  ): Promise<JobResult> {
    const { claim, legDeps, store } = this.#deps;
    this.#gate.back(description.id);
    const work = async () => {
      const deps: LegDeps = {
        ...legDeps(adopted),
        run: adopted.run.record,
        blocked: adopted.blocked,
        isOurs: (labels) => claim().isOurs(labels),
        githubJobs: this.#githubJobs,
        controls: this.#controls,
        log: this.#deps.log,
        store,
      };
      return await runLeg(description, deps, signal);
    };
    const result = await this.#persist(`job ${description.id}`, work);
    return result ?? (await new Promise<never>(() => {})); // the service stops; the next one goes on
  }

  async #begunJobs(runId: string): Promise<ReadonlyMap<string, BegunLeg>> {
    const begun = (await this.#deps.store.jobs.ofRun(runId)).filter(isBegun);
    return new Map(begun.map((job) => [job.id, { endedAtMs: endOf(job) }]));
  }

  async #noteUnstarted(adopted: Adopted, job: UnstartedJob): Promise<void> {
    const { store, reportEnded } = this.#deps;
    const { record: run } = adopted.run;
    const known = await store.jobs.ofRun(run.id);
    if (known.some(({ name }) => name === job.name)) return;
    if (adopted.jobs.get(job.job)?.owner !== "ours") return;
    if (run.rerunOf && !isRepeated(job, run.rerunOf, adopted.workflow)) return;
    const record: JobRecord = {
      // Never the id of a leg: another job's key may be this one's name.
      ...endedRecord(run, `${run.id}.${job.job}.not-started.${job.name}`),
      jobKey: job.job,
      name: job.name,
      labels: [],
      conclusion: job.conclusion,
      ...(job.reason !== undefined && { reason: job.reason }),
    };
    await store.jobs.put(record);
    reportEnded(record);
  }

  /** Says of a queued job of ours why it is not run. */
  async #explain(run: RunRecord, job: GitHubJobRecord, reason: string): Promise<void> {
    const { store, claim, reportEnded } = this.#deps;
    // Who has a job run again wants an answer even though GitHub has dropped its own.
    const isOver = job.status === "completed";
    if (isOver && (run.rerunOf === undefined || job.runnerName)) return;
    if (!claim().isOurs(job.labels)) return;
    const record: JobRecord = {
      ...endedRecord(run, `${run.id}.github-${job.id}`),
      name: job.name,
      labels: job.labels,
      githubJobId: job.id,
      conclusion: "action_required",
      reason,
    };
    if ((await store.jobs.get(record.id)) !== undefined) return;
    await store.jobs.put(record);
    reportEnded(record);
  }

  async #hearRunCancelled({
    githubRunId,
    attempt,
    by,
    atMs,
  }: Extract<IntakeEvent, { type: "run_cancelled" }>): Promise<void> {
    const active = this.#active.get(`${githubRunId}-${attempt}`);
    if (active === undefined || active.keeper.record.cancelled !== undefined) return;
    const { releasedAtMs, createdAtMs } = active.keeper.record;
    if (releasedAtMs !== undefined || isDropped({ createdAtMs, endedAtMs: atMs })) return;
    await active.keeper.change({ cancelled: { by: by.login, atMs } });
    active.cancel.abort(`The run was cancelled by ${by.login}.`);
  }

  async #cancelByCheck({
    checkRunId,
    by,
  }: Extract<IntakeEvent, { type: "check_action" }>): Promise<void> {
    const job = await this.#deps.store.jobs.byCheckRun(checkRunId);
    if (job !== undefined) await this.cancel(job.id, by);
  }

  async #rerun({
    repository,
    headSha,
    checkRunId,
  }: Extract<IntakeEvent, { type: "check_rerequested" }>): Promise<void> {
    const { store } = this.#deps;
    if (checkRunId === undefined) {
      const runs = new Set(
        (await store.jobs.atCommit(repository, headSha)).map((job) => job.runId),
      );
      for (const id of latestRuns([...runs])) await this.#runAgain(id, undefined);
      return;
    }
    const job = await store.jobs.byCheckRun(checkRunId);
    if (job?.state === "completed") await this.#runAgain(job.runId, job);
  }

  async #runAgain(runId: string, job: JobRecord | undefined): Promise<void> {
    const { store } = this.#deps;
    const run = await store.runs.get(runId);
    const record = run && (await rerunRecord(run, job, store));
    if (record === undefined) return;
    const keeper = new RunKeeper(record, store.runs);
    await keeper.change({});
    // Results of jobs that are not repeated may still be missing.
    this.#start(keeper, this.#active.get(runId)?.done);
  }

  #groupsOf(repository: string): ConcurrencyGroups {
    const key = repository.toLowerCase();
    const groups = this.#groups.get(key) ?? new ConcurrencyGroups(this.#gate.opened);
    this.#groups.set(key, groups);
    return groups;
  }

  async #persist<T>(what: string, work: () => Promise<T>): Promise<T | undefined> {
    return await persist(what, work, {
      log: this.#deps.log,
      signal: this.#stopped,
      retryRefused: true,
    });
  }
}

/** What never was ready to run has no file of its workflow. */
function isBegun({ workflowFile }: JobRecord): boolean {
  return workflowFile !== undefined;
}

/** One that somebody else's runner took ends as GitHub says. */
function endOf({ conclusion, completedAtMs }: JobRecord): number | undefined {
  return conclusion === "neutral" ? undefined : completedAtMs;
}

function endedRecord(run: RunRecord, id: string) {
  const now = Date.now();
  const { repository, installationId, headSha } = run;
  return {
    // Made of names too, which may hold anything.
    id: id.replace(/[^A-Za-z0-9_.-]/g, "_"),
    runId: run.id,
    ...{ repository, installationId, headSha },
    state: "completed",
    retries: 0,
    isReported: false,
    createdAtMs: now,
    completedAtMs: now,
  } as const;
}
