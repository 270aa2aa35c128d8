import type { Conclusion } from "../../runner/job/job-description.ts";
import type { FaultSettings } from "./faults.ts";
import type { Delivery, JsonObject } from "./hub-event.ts";
import type {
  Annotation,
  CheckAction,
  CheckOwner,
  CommitRequest,
  JobStatus,
  JobStep,
  PullRequestFacts,
  RunConclusion,
  RunnerFacts,
  RunStatus,
} from "./hub-facts.ts";
import type { RepositoryOptions } from "./hub-options.ts";

export type HubJob = {
  /** Also the id of the check run that shows it. */
  readonly id: number;
  readonly runId: number;
  readonly attempt: number;
  /** `OWNER/NAME`. */
  readonly repository: string;
  /** The key below `jobs:`. */
  readonly key: string;
  /** As GitHub prints it, with the values of its matrix. */
  readonly name: string;
  readonly labels: readonly string[];
  readonly status: JobStatus;
  readonly conclusion: Conclusion | null;
  readonly runner: string | undefined;
  readonly outputs: { readonly [name: string]: string };
};

export type HubRun = {
  readonly id: number;
  readonly repository: string;
  /** The workflow's file. */
  readonly path: string;
  readonly title: string;
  readonly event: string;
  readonly attempt: number;
  readonly headSha: string;
  readonly headBranch: string | null;
  readonly status: RunStatus;
  readonly conclusion: RunConclusion | null;
};

export type HubCheckRun = {
  readonly id: number;
  readonly repository: string;
  /** `actions`: shows a job; `app`: made by the App. */
  readonly owner: CheckOwner;
  readonly headSha: string;
  readonly name: string;
  readonly status: string;
  readonly conclusion: string | null;
  readonly externalId: string;
  readonly title: string | null;
  readonly summary: string | null;
  readonly text: string | null;
  readonly annotations: readonly Annotation[];
  readonly actions: readonly CheckAction[];
};

/** Who does something; the first of the hub's users when left out. */
export type By = { readonly by?: string };

/** A hub that runs. Disposing of it ends everything and removes its repositories. */
export type LocalHub = AsyncDisposable & {
  /** Of the web side: repositories are cloned from `URL/OWNER/NAME.git`. */
  readonly url: string;
  /** What Octokit takes as `baseUrl`. */
  readonly apiUrl: string;
  readonly app: {
    readonly id: number;
    readonly clientId: string;
    readonly slug: string;
    /** PEM. */
    readonly privateKey: string;
  };
  /** That of the start; `setWebhook` may name another. */
  readonly webhookSecret: string;
  /** Where events go from now on; `undefined` stops them. */
  setWebhook(url: string | undefined, secret?: string): void;
  setFaults(faults: FaultSettings): void;
  /** What remains of an account's installation's hourly requests. */
  setRateLimitRemaining(login: string, remaining: number): void;

  /** A token of a person, who may do everything. */
  tokenOf(login: string): string;
  /** The address of a repository with a person's token in it, for git. */
  cloneUrl(repository: string, options?: By): string;
  installationIdOf(login: string): number;
  /** Installs the App on an account, or removes it there; an event tells of it. */
  install(login: string, repositories?: "all" | readonly string[]): number;
  uninstall(login: string): void;

  createRepository(owner: string, options: RepositoryOptions): Promise<void>;
  /** Commits and pushes, a new branch from the default branch; the events are made before it resolves. Hands back the commit. */
  commit(repository: string, commit: CommitRequest, options?: By): Promise<string>;
  /** Hands back the number. */
  createPullRequest(repository: string, facts: PullRequestFacts, options?: By): Promise<number>;
  /** Starts a workflow by hand; hands back the run's id. */
  dispatch(
    repository: string,
    request: {
      readonly workflow: string;
      readonly ref?: string;
      readonly inputs?: { readonly [name: string]: string };
    },
    options?: By,
  ): Promise<number>;
  /** Any other event, at the default branch; hands back the ids of the runs that it started. */
  sendEvent(
    repository: string,
    event: { readonly event: string; readonly action?: string; readonly fields?: JsonObject },
    options?: By,
  ): Promise<number[]>;

  /** In the order in which they were made. */
  runs(): HubRun[];
  jobs(): HubJob[];
  checkRuns(): HubCheckRun[];
  deliveries(): readonly Delivery[];

  /** Lets a job that waits for its environment go on. */
  approveJob(id: number, options?: By): void;
  /** What a runner does when it takes a job. */
  startJob(id: number, runner?: RunnerFacts): void;
  /** What a runner does when a job has ended; one that it has not started is started first, unless it is cancelled or skipped. */
  completeJob(
    id: number,
    result: {
      readonly conclusion: Conclusion;
      readonly outputs?: { readonly [name: string]: string };
      readonly steps?: readonly JobStep[];
    },
  ): void;
  cancelRun(id: number, options?: By & { readonly force?: boolean }): void;
  rerun(id: number, options?: By & { readonly onlyFailed?: boolean }): void;
  /** Presses "Re-run" of a check that the App made. */
  rerequestCheckRun(id: number, options?: By): void;
  /** Presses a button that the App put beside a check. */
  pressCheckRunAction(id: number, identifier: string, options?: By): void;

  /** Resolves when all that has happened has had its consequences: jobs are queued, events delivered. */
  settled(): Promise<void>;
};
