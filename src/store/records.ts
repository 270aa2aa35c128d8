import type { Json } from "../../runner/expressions/template.ts";
import type { JobDeath } from "../../runner/job/job-death.ts";
import type { Conclusion } from "../../runner/job/job-description.ts";
import type { JobUsage } from "../../runner/job/job-event.ts";

type JsonObject = { readonly [key: string]: Json };

/** A webhook delivery as it came, before anything was made of it. Times are in milliseconds since 1970. */
export type DeliveryRecord = {
  /** GitHub's delivery id; a second one with the same id changes nothing. */
  readonly id: string;
  readonly event: string;
  readonly action?: string;
  readonly payload: JsonObject;
  readonly receivedAtMs: number;
};

/** The payload of an event that starts workflows, kept so that `github.event` of its runs is right. */
export type TriggerRecord = {
  readonly deliveryId: string;
  readonly event: string;
  readonly repositoryId: number;
  readonly payload: JsonObject;
  readonly receivedAtMs: number;
};

/** What GitHub has said of one of its jobs, all events joined. */
export type GitHubJobRecord = {
  readonly id: number;
  readonly repository: string;
  readonly repositoryId: number;
  readonly installationId: number;
  readonly githubRunId: number;
  readonly attempt: number;
  /** What its run shows: of pull requests the head's commit. */
  readonly headSha: string;
  /** With the values of its matrix. */
  readonly name: string;
  readonly labels: readonly string[];
  readonly status: "waiting" | "queued" | "in_progress" | "completed";
  readonly conclusion?: string;
  /** The runner that GitHub gave the job to. */
  readonly runnerName?: string;
  /** Who caused the event that completed it: login, and whether that is an App's bot. */
  readonly completedBy?: { readonly login: string; readonly isBot: boolean };
  readonly createdAtMs: number;
  readonly completedAtMs?: number;
};

/** One attempt of a workflow run of which some job is ours. */
export type RunRecord = {
  /**
   * `GITHUBRUNID-ATTEMPT`, with `-N` where somebody had jobs of it run again here: also the label `io.berth.run` and the start of its
   * jobs' ids.
   */
  readonly id: string;
  readonly repository: string;
  readonly repositoryId: number;
  readonly installationId: number;
  readonly githubRunId: number;
  readonly attempt: number;
  /** The commit that its checks are shown at: of pull requests the head's. */
  readonly headSha: string;
  /**
   * `new`: heard of; `adopted`: its facts are read and its jobs are ours to start; `left`: not ours to run, with the reason; `ended`: all
   * of ours have ended and GitHub's side was seen to.
   */
  readonly state: "new" | "adopted" | "left" | "ended";
  readonly reason?: string;
  /** What planning needs, read from GitHub once so that every life of the service plans the same: plain JSON. */
  readonly facts?: unknown;
  /** Names of jobs that GitHub's re-run of some others carries over from the attempt before. */
  readonly carried?: readonly string[];
  readonly conclusion?: Conclusion;
  /** A person has cancelled the whole run. */
  readonly cancelled?: { readonly by: string; readonly atMs: number };
  /** Runs these jobs (by key, all when there is none; of a matrix only the leg that is named) and what needs them again; of others the results of that run count. */
  readonly rerunOf?: {
    readonly runId: string;
    readonly jobs: readonly string[];
    readonly leg?: string;
  };
  /** We asked GitHub to cancel its side; what follows from that is no person's cancel. */
  readonly releasedAtMs?: number;
  readonly createdAtMs: number;
};

/** One job of ours: a leg of a job of an adopted run, or one that may not run and says why. */
export type JobRecord = {
  /** As in its description: `RUNID-ATTEMPT.KEY` and `.LEG` where there is a matrix. */
  readonly id: string;
  /** Of its `RunRecord`. */
  readonly runId: string;
  /** The key in the workflow; absent of jobs that were never planned. */
  readonly jobKey?: string;
  readonly repository: string;
  readonly installationId: number;
  /** As GitHub prints it. */
  readonly name: string;
  readonly labels: readonly string[];
  readonly headSha: string;
  /** Relative to the repository's root; absent of jobs that were never planned. */
  readonly workflowFile?: string;
  readonly githubJobId?: number;
  readonly state: "queued" | "running" | "completed";
  /** Why it waits, in a sentence; of a completed one why it ended so, where there is more to say than its conclusion. */
  readonly reason?: string;
  readonly conclusion?: Conclusion | "action_required" | "neutral";
  readonly outputs?: { readonly [name: string]: string };
  /** What of its host ended it, where it was not its steps. */
  readonly death?: JobDeath;
  readonly usage?: JobUsage;
  readonly profile?: string;
  readonly host?: string;
  /** How often it was run again because its host had failed it. */
  readonly retries: number;
  /** Its container is kept for a look though it has failed. */
  readonly kept?: KeptRecord;
  readonly cancelRequest?: { readonly by: string; readonly atMs: number };
  /** GitHub has queued it, past what its environment asks for. */
  readonly isApproved?: boolean;
  readonly checkRunId?: number;
  /** GitHub has taken the last state of its check, or refused it for good. */
  readonly isReported: boolean;
  readonly createdAtMs: number;
  readonly startedAtMs?: number;
  readonly completedAtMs?: number;
};

/** How long a failed job's container is kept, and how to get in. */
export type KeptRecord = {
  readonly untilMs: number;
  /** Whose SSH keys may log in: those that this user has on GitHub, or these. */
  readonly keys: { readonly ofUser: string } | readonly string[];
  /** Commands that log in, once that was set up; `problem` has why it cannot be. */
  readonly login?: {
    readonly ssh?: string;
    readonly mosh?: string;
    readonly problem?: string;
  };
};

/** CPU, memory and GPUs of a host that are promised to one job, and to no other until it gives them back. */
export type LeaseRecord = {
  /** The job's. */
  readonly jobId: string;
  /** `OWNER/NAME`; limits count a lease of an earlier life from the start. */
  readonly repository: string;
  readonly host: string;
  readonly cpus: number;
  readonly memoryBytes: number;
  /** UUIDs of whole GPUs and of MIG slices. */
  readonly gpus: readonly string[];
  readonly leasedAtMs: number;
  /** Set once its job was given up because the host was lost: something of it may still run there. `jobId` is no job's then. */
  readonly lost?: {
    /** Whose remains are looked for. */
    readonly execution: string;
    /** When it has certainly ended: its container has ended itself by then. */
    readonly untilMs: number;
    /** Its host is there: the container is kept for a look. */
    readonly isKept?: true;
    /** Of its machine while it ran: with another one nothing of it runs any more. */
    readonly bootId?: string | undefined;
  };
};

/** A line of a job's history, for `berth jobs show`. */
export type HistoryRecord = {
  readonly jobId: string;
  readonly atMs: number;
  readonly message: string;
};
