import type { HostStatus } from "../scheduler/scheduler.ts";
import type { HistoryRecord, JobRecord } from "../store/records.ts";

/** What it takes to open a shell in a job's container. */
export type JobShell = {
  readonly host: string;
  /** Of the engine, as its host knows it. */
  readonly endpoint: string;
  readonly containerId: string;
  readonly workdir: string;
  readonly env: readonly string[];
};

/** What the running service answers to commands and, later, to its page. */
export type ServiceApi = {
  /** Newest first. */
  jobs(wanted: { readonly isOpen: boolean; readonly limit: number }): Promise<JobRecord[]>;
  /** `undefined` when there is no such job; an id may be cut short where that is unique. */
  job(
    id: string,
  ): Promise<{ readonly job: JobRecord; readonly history: readonly HistoryRecord[] } | undefined>;
  /** Why a job waits, runs or ended as it did: sentences. */
  why(id: string): Promise<readonly string[] | undefined>;
  /**
   * Where the container of a job runs, for `by` who opens a shell in it, which its history tells; a sentence where there is none to open. `env` has
   * `NAME=value`.
   */
  shell(id: string, by: string): Promise<JobShell | { readonly refused: string } | undefined>;
  /** False when it has ended already. */
  cancel(id: string, by: string): Promise<boolean | undefined>;
  /** Lines of its log; with `follow` until it ends. */
  log(
    id: string,
    options: { readonly follow: boolean; readonly signal: AbortSignal },
  ): Promise<AsyncIterable<string> | undefined>;
  hosts(): Promise<HostStatus[]>;
  /** False when there is no such host. */
  setDrained(host: string, isDrained: boolean): Promise<boolean>;
  /** Age of each loop's last heartbeat, and how old it may be. */
  heartbeats(): readonly {
    readonly loop: string;
    readonly ageMs: number;
    readonly limitMs: number;
  }[];
};
