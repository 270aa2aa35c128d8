import type {
  DeliveryRecord,
  GitHubJobRecord,
  HistoryRecord,
  JobRecord,
  LeaseRecord,
  RunRecord,
  TriggerRecord,
} from "./records.ts";

/**
 * What the service remembers across restarts. Each function is one durable step: when it has resolved, it holds through a power cut.
 * Functions resolve in the order in which they were called.
 */
export type Store = AsyncDisposable & {
  readonly deliveries: {
    /** Keeps a delivery before GitHub is told that it arrived; false when it is known already. */
    add(delivery: DeliveryRecord): Promise<boolean>;
    /** Whether it is known, handled or not. */
    has(id: string): Promise<boolean>;
    /** Those that nothing was made of yet, oldest first. */
    unhandled(limit: number): Promise<DeliveryRecord[]>;
    /** Drops the payload and remembers the id; `problem` says what kept it from being handled. */
    markHandled(id: string, problem?: string): Promise<void>;
  };
  readonly triggers: {
    add(trigger: TriggerRecord): Promise<void>;
    /** Newest first. */
    find(wanted: {
      readonly repositoryId: number;
      readonly event: string;
    }): Promise<TriggerRecord[]>;
  };
  readonly githubJobs: {
    get(id: number): Promise<GitHubJobRecord | undefined>;
    put(job: GitHubJobRecord): Promise<void>;
    ofRun(githubRunId: number, attempt: number): Promise<GitHubJobRecord[]>;
  };
  readonly runs: {
    get(id: string): Promise<RunRecord | undefined>;
    put(run: RunRecord): Promise<void>;
    /** Those that are `new` or `adopted`, oldest first. */
    open(): Promise<RunRecord[]>;
  };
  readonly jobs: {
    get(id: string): Promise<JobRecord | undefined>;
    put(job: JobRecord): Promise<void>;
    ofRun(runId: string): Promise<JobRecord[]>;
    /** Completed ones whose end GitHub has not been told yet. */
    unreported(): Promise<JobRecord[]>;
    /** Those whose checks are shown at a commit. */
    atCommit(repository: string, headSha: string): Promise<JobRecord[]>;
    byCheckRun(checkRunId: number): Promise<JobRecord | undefined>;
    /** Newest first. `isOpen`: whether completed ones are left out. */
    list(wanted: { readonly isOpen: boolean; readonly limit: number }): Promise<JobRecord[]>;
  };
  readonly leases: {
    /** @throws when the job has one already, or one of the GPUs is leased. */
    add(lease: LeaseRecord): Promise<void>;
    remove(jobId: string): Promise<void>;
    /** Puts one in the place of another, in one. */
    replace(jobId: string, lease: LeaseRecord): Promise<void>;
    all(): Promise<LeaseRecord[]>;
  };
  readonly hosts: {
    /** Names of hosts that take no new jobs. */
    drained(): Promise<string[]>;
    setDrained(name: string, isDrained: boolean): Promise<void>;
    /** Keeps what the last probe of a host found out, instead of what was kept of it before. */
    remember(name: string, facts: object, atMs: number): Promise<void>;
    /** What was kept, by name; of hosts that left the configuration as well. Whoever reads `facts` checks them: another version may have written them. */
    known(): Promise<{ readonly name: string; readonly atMs: number; readonly facts: unknown }[]>;
  };
  readonly history: {
    add(entry: HistoryRecord): Promise<void>;
    ofJob(jobId: string): Promise<HistoryRecord[]>;
  };
  /** Small things that loops remember, such as how far a sweep has read. */
  readonly notes: {
    get(key: string): Promise<string | undefined>;
    set(key: string, value: string): Promise<void>;
    remove(key: string): Promise<void>;
  };
  /** Forgets what ended before then: deliveries, triggers, GitHub's jobs, runs with their jobs and history. Ids of the jobs that went. */
  forgetBefore(atMs: number): Promise<string[]>;
};
