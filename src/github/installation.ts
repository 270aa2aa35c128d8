import type { Json } from "../../runner/expressions/template.ts";

type JsonObject = { readonly [key: string]: Json };

/** A workflow run as GitHub's REST API tells of it. */
export type GitHubRun = {
  readonly id: number;
  readonly attempt: number;
  readonly number: number;
  readonly event: string;
  readonly status: string;
  readonly conclusion: string | null;
  /** What the run shows: of pull requests the head's commit, which is not `github.sha`. */
  readonly headSha: string;
  /** Branch or tag. */
  readonly headBranch: string | null;
  /** `.github/workflows/ci.yml`, without `@ref`. */
  readonly path: string;
  readonly workflowName: string;
  readonly title: string;
  readonly actor: { readonly login: string; readonly id: number };
  readonly triggeringActor: { readonly login: string; readonly id: number };
  /** `OWNER/NAME` of where the code comes from; null when that repository is gone. */
  readonly headRepository: string | null;
  readonly repository: RepositoryOnGitHub;
  /** Empty for runs from forks. */
  readonly pullRequests: readonly {
    readonly number: number;
    readonly headSha: string;
    readonly baseRef: string;
  }[];
  readonly createdAtMs: number;
};

export type RepositoryOnGitHub = {
  readonly id: number;
  readonly fullName: string;
  readonly owner: { readonly login: string; readonly id: number };
  readonly defaultBranch: string;
  readonly isPrivate: boolean;
};

/** A job of a run as GitHub's REST API tells of it. */
export type GitHubJob = {
  readonly id: number;
  readonly name: string;
  readonly labels: readonly string[];
  readonly status: string;
  readonly conclusion: string | null;
  readonly runnerName: string | null;
  readonly createdAtMs: number;
};

export type CheckAnnotation = {
  readonly path: string;
  readonly startLine: number;
  readonly endLine: number;
  readonly startColumn?: number;
  readonly endColumn?: number;
  readonly level: "notice" | "warning" | "failure";
  readonly message: string;
  readonly title?: string;
};

/** All that a check run shows; each update says all of it anew, except annotations, which GitHub adds to those it has. */
export type CheckRunState = {
  readonly status: "queued" | "in_progress" | "completed";
  readonly conclusion?:
    | "success"
    | "failure"
    | "cancelled"
    | "skipped"
    | "neutral"
    | "action_required"
    | "timed_out";
  readonly title: string;
  /** Markdown, at most 65,535 bytes as GitHub counts. */
  readonly summary: string;
  readonly text?: string;
  readonly startedAtMs?: number;
  readonly completedAtMs?: number;
  /** At most three: label of 20, description of 40, identifier of 20 characters. */
  readonly actions: readonly {
    readonly label: string;
    readonly description: string;
    readonly identifier: string;
  }[];
};

/** GitHub's API as one installation of the App. Errors: `BerthError` `GITHUB_REFUSED` (asking again is no use) or `GITHUB_UNREACHABLE`. */
export type Installation = {
  readonly id: number;
  run(repository: string, runId: number, attempt: number): Promise<GitHubRun>;
  /** All pages. */
  runJobs(repository: string, runId: number, attempt: number): Promise<GitHubJob[]>;
  /** Runs that are queued, waiting or in progress. */
  openRuns(repository: string): Promise<GitHubRun[]>;
  /** Text of a file at a commit; `undefined` when there is none. */
  file(repository: string, path: string, commit: string): Promise<string | undefined>;
  /** What `refs/pull/N/merge` is now, with the commits it joins; `undefined` when there is none. */
  mergeCommit(
    repository: string,
    pullNumber: number,
  ): Promise<{ readonly sha: string; readonly parents: readonly string[] } | undefined>;
  /** A commit's parents; `undefined` when there is no such commit. */
  commitParents(repository: string, sha: string): Promise<readonly string[] | undefined>;
  /** Commit of a ref such as `heads/main` or `tags/v1`; `undefined` when there is none. */
  refCommit(repository: string, ref: string): Promise<string | undefined>;
  /** GitHub's answer about a pull request as it is. */
  pullRequest(repository: string, number: number): Promise<JsonObject | undefined>;
  /** SSH keys that a user has on GitHub, as in authorized_keys; none of one that is not there. */
  userKeys(login: string): Promise<string[]>;
  /** Organisation's variables, overlaid by the repository's. */
  variables(repository: string): Promise<{ readonly [name: string]: string }>;
  /**
   * Makes a check run, or finds the one that an earlier life made: same name, commit and `externalId`. Hands back its id.
   */
  createCheckRun(
    repository: string,
    check: {
      readonly name: string;
      readonly headSha: string;
      readonly externalId: string;
      readonly detailsUrl?: string;
    },
    state: CheckRunState,
  ): Promise<number>;
  updateCheckRun(
    repository: string,
    id: number,
    state: CheckRunState,
    annotations: readonly CheckAnnotation[],
  ): Promise<void>;
  /** How many annotations a check run has: those that an earlier life sent. */
  countAnnotations(repository: string, checkRunId: number): Promise<number>;
  /** `isForced`: jobs go, too, whose `if` holds after a cancellation, such as `always()`. Only for a run that was cancelled before. */
  cancelRun(
    repository: string,
    runId: number,
    options?: { readonly isForced?: boolean },
  ): Promise<void>;
  /** A token for that repository only, narrowed to `permissions` as a workflow writes them; lives an hour. */
  jobToken(
    repository: string,
    permissions: { readonly [scope: string]: string } | undefined,
  ): Promise<JobToken>;
  /** Ends a token that an earlier life made. Never throws: one that cannot be revoked ends by itself. */
  revokeToken(token: string): Promise<void>;
  /** As the last answer had it; `undefined` before the first. */
  rateLimit():
    | { readonly remaining: number; readonly limit: number; readonly resetAtMs: number }
    | undefined;
};

export type JobToken = {
  readonly token: string;
  readonly expiresAtMs: number;
  /** What was asked for and the App does not have, as `packages: write`; the token does without. */
  readonly missing: readonly string[];
  /** Never throws: a token that cannot be revoked ends by itself. */
  revoke(): Promise<void>;
};

/** A delivery as the App's log lists it. */
export type LoggedDelivery = {
  /** Digits. GitHub's are beyond what a number can hold. */
  readonly id: string;
  readonly guid: string;
  readonly event: string;
  readonly action: string | null;
  readonly deliveredAtMs: number;
  /** The receiver answered with a 2xx. */
  readonly isOk: boolean;
};

/** GitHub's API as the App. */
export type GitHubApp = AsyncDisposable & {
  readonly apiUrl: string;
  readonly serverUrl: string;
  installation(id: number): Installation;
  /** Newest first, up to the one of which `isEnough` says so, without that one. */
  deliveries(isEnough: (delivery: LoggedDelivery) => boolean): Promise<LoggedDelivery[]>;
  deliveryPayload(id: string): Promise<JsonObject>;
  redeliver(id: string): Promise<void>;
  /** Who the App is and what it may do. */
  self(): Promise<{
    readonly slug: string;
    readonly permissions: { readonly [name: string]: string };
    readonly events: readonly string[];
  }>;
  installations(): Promise<
    {
      readonly id: number;
      readonly account: string;
      readonly permissions: { readonly [name: string]: string };
    }[]
  >;
  /** `OWNER/NAME` of what an installation covers. */
  repositories(installationId: number): Promise<string[]>;
};
