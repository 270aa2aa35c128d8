import type { JobResult } from "../../runner/job/execute-job.ts";
import type { Conclusion, JobDescription } from "../../runner/job/job-description.ts";
import type { JobEvent } from "../../runner/job/job-event.ts";
import type { ConcurrencyGroups } from "../../runner/workflow/concurrency-groups.ts";
import { type RunPlanOptions, runPlan } from "../../runner/workflow/run-plan.ts";
import type { Workflow } from "../../runner/workflow/workflow.ts";
import type { RunSnapshot } from "../adoption/run-facts.ts";
import type { OwnedJob } from "../adoption/whose-jobs.ts";
import type { RunRecord } from "../store/records.ts";
import type { RunKeeper } from "./run-keeper.ts";

/** What may be known of a run before anything of it starts. */
export type Adoption =
  | {
      readonly kind: "adopted";
      readonly facts: RunSnapshot;
      readonly workflow: Workflow;
      /** By job key, as far as that can be told before any has run. */
      readonly jobs: ReadonlyMap<string, OwnedJob>;
      /** By job key: why that job cannot run here though the rest can. */
      readonly blocked: { readonly [job: string]: string };
      /** Names of jobs that GitHub's re-run of some others does not repeat. */
      readonly carried: readonly string[];
    }
  | { readonly kind: "left"; readonly reason: string };

/** What a run's life needs from outside. */
export type RunLifeDeps = {
  /** Reads what GitHub knows of the run, unless an earlier life did, and judges whether it is ours to run. */
  adopt(run: RunRecord): Promise<Adoption>;
  /** Says of each job of ours that GitHub has queued why it is not run. */
  explainLeft(run: RunRecord, reason: string): Promise<void>;
  /** The jobs that an earlier life of the service has begun. */
  begun(run: RunRecord): Promise<NonNullable<RunPlanOptions["begun"]>>;
  runLeg(adopted: Adopted, description: JobDescription, signal: AbortSignal): Promise<JobResult>;
  /** Hears of jobs that ended before they were ready to run: skipped, cancelled, or impossible. */
  unstarted(adopted: Adopted, job: UnstartedJob): Promise<void>;
  /** Decides what becomes of GitHub's own queued jobs. */
  release(adopted: Adopted, signal: AbortSignal): Promise<void>;
  /** The concurrency groups of a repository. */
  groupsOf(repository: string): ConcurrencyGroups;
  readonly queue: RunPlanOptions["slots"]["queue"];
};

export type Adopted = Extract<Adoption, { kind: "adopted" }> & { readonly run: RunKeeper };

export type UnstartedJob = {
  readonly job: string;
  readonly name: string;
  readonly conclusion: Conclusion;
  readonly reason?: string;
};

/**
 * A run of which some job is ours, from its first event to its end. GitHub queues a job when those it needs have ended, and never learns
 * that ours do: so Berth adopts its part of the run and starts legs and dependents itself. Each life of the service plans the same over
 * the stored facts, and `runLeg` knows how legs ended. `signal` cancels the run as a person would.
 */
export async function liveRun(
  run: RunKeeper,
  deps: RunLifeDeps,
  { cancelled, stopped }: { readonly cancelled: AbortSignal; readonly stopped: AbortSignal },
): Promise<void> {
  const adoption = await deps.adopt(run.record);
  if (adoption.kind === "left") {
    const { reason } = adoption;
    // Jobs that are queued from now on are explained as their events come.
    await run.change({ state: "left", reason });
    await deps.explainLeft(run.record, reason);
    return;
  }

  const { facts, workflow } = adoption;
  if (run.record.state !== "adopted") {
    await run.change({ state: "adopted", facts, carried: adoption.carried });
  }
  const adopted: Adopted = { ...adoption, run };
  const begun = await deps.begun(run.record);
  const started = new Set<string>();
  const noted: Promise<void>[] = [];

  const { conclusion } = await runPlan(
    workflow,
    {
      runId: run.record.id,
      github: facts.github,
      vars: facts.vars,
      inputs: facts.inputs,
      secrets: {},
      // A called workflow's jobs are GitHub's; what needs them was refused before.
      onlyJobs: workflow.jobs.filter(({ call }) => call === undefined).map(({ id }) => id),
      begun,
      slots: { queue: deps.queue, groups: deps.groupsOf(run.record.repository) },
      runLeg(description, signal) {
        started.add(description.name);
        return deps.runLeg(adopted, description, signal);
      },
      report(event: JobEvent) {
        if (event.type !== "job_finished" || started.has(event.name)) return;
        const { job, name, conclusion, reason } = event;
        const unstarted = { job, name, conclusion, ...(reason && { reason }) };
        const noting = deps.unstarted(adopted, unstarted);
        noting.catch(() => {}); // heard below, when the plan is done
        noted.push(noting);
      },
    },
    cancelled,
  );
  await Promise.all(noted);
  await deps.release(adopted, stopped);
  await run.change({ state: "ended", conclusion });
}
