import type { Json } from "../../runner/expressions/template.ts";
import type { JobResult } from "../../runner/job/execute-job.ts";
import type { Conclusion } from "../../runner/job/job-description.ts";
import type { Workflow } from "../../runner/workflow/workflow.ts";
import type { Account, PullRequest, Repository, WorkflowEntry } from "./hub.ts";
import type { JsonObject } from "./hub-event.ts";
import type { JobStatus, JobStep, RunConclusion, RunnerFacts, RunStatus } from "./hub-facts.ts";

export type Job = {
  /** Also the id of the check run that shows it. */
  readonly id: number;
  readonly run: Run;
  readonly attempt: number;
  /** The key below `jobs:`. */
  readonly key: string;
  readonly name: string;
  readonly labels: readonly string[];
  readonly createdAt: string;
  status: JobStatus;
  conclusion: Conclusion | null;
  startedAt: string;
  completedAt: string | null;
  steps: readonly JobStep[];
  runner: Required<RunnerFacts> | undefined;
  outputs: { readonly [name: string]: string };
  /** Tells the plan that the job has ended. */
  settle(result: JobResult): void;
};

export type Run = {
  readonly id: number;
  readonly number: number;
  readonly repository: Repository;
  readonly entry: WorkflowEntry;
  /** `undefined` when the file is not valid. */
  readonly workflow: Workflow | undefined;
  readonly event: string;
  readonly payload: JsonObject;
  readonly inputs: Json;
  readonly ref: string;
  /** What `github.sha` is: the commit that the workflow file is from. */
  readonly sha: string;
  /** What the API shows: of a pull request its head. */
  readonly headSha: string;
  readonly headBranch: string | null;
  readonly headRepository: Repository;
  readonly pull: PullRequest | undefined;
  readonly title: string;
  readonly actor: Account;
  readonly createdAt: string;
  readonly checkSuiteId: number;
  /** How many `workflow_run` events led to this run. */
  readonly depth: number;
  triggeringActor: Account;
  attempt: number;
  startedAt: string;
  updatedAt: string;
  status: RunStatus;
  conclusion: RunConclusion | null;
  /** Of all attempts. */
  readonly jobs: Job[];
  readonly pastAttempts: JsonObject[];
  /** Who does what is happening now: the sender of the events. */
  sender: Account;
  /** Cancels the current attempt. */
  cancel: AbortController;
  /** Not even jobs with `always()` start any more. */
  isForced: boolean;
};

export function jobsOf(run: Run, attempt: number = run.attempt): Job[] {
  return run.jobs.filter((job) => job.attempt === attempt);
}
