import type { Conclusion } from "../../runner/job/job-description.ts";

/** Permission to the level it is granted at, as `checks: write`. */
export type Grants = { readonly [permission: string]: string };

/** A commit to make without a clone. */
export type CommitRequest = {
  readonly branch: string;
  readonly message: string;
  /** By path; `null` removes a file. A text that begins with `#!` becomes executable. */
  readonly files: { readonly [path: string]: string | Uint8Array | null };
  readonly author?: { readonly name: string; readonly email: string };
};

export type PullRequestFacts = {
  readonly title: string;
  /** A branch of the repository, or `OWNER:BRANCH` of a fork with the same name. */
  readonly head: string;
  readonly base: string;
  /** `OWNER/NAME` of the fork, where its name is another. */
  readonly headRepository?: string;
};

/** Of a workflow run, as the Actions API names it. */
export type RunStatus = "queued" | "waiting" | "pending" | "in_progress" | "completed";

export type RunConclusion = Conclusion | "startup_failure";

export type JobStatus = "waiting" | "queued" | "in_progress" | "completed";

/** One step as the Actions API shows it. */
export type JobStep = {
  readonly name: string;
  readonly status: "queued" | "in_progress" | "completed";
  readonly conclusion: Conclusion | null;
  readonly number: number;
};

/** What took a job. */
export type RunnerFacts = {
  readonly name: string;
  readonly id?: number;
  readonly group?: string;
};

/** `actions` for the checks that show jobs, `app` for those of the hub's App. */
export type CheckOwner = "actions" | "app";

export type Annotation = {
  readonly path: string;
  readonly start_line: number;
  readonly end_line: number;
  readonly start_column?: number | undefined;
  readonly end_column?: number | undefined;
  readonly annotation_level: "notice" | "warning" | "failure";
  readonly message: string;
  readonly title?: string | undefined;
  readonly raw_details?: string | undefined;
};

export type CheckAction = {
  readonly label: string;
  readonly description: string;
  readonly identifier: string;
};
