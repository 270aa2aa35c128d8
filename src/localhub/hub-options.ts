import type { FaultSettings } from "./faults.ts";
import type { HubEvent } from "./hub-event.ts";
import type { Grants } from "./hub-facts.ts";

/** What a hub holds when it starts. */
export type LocalHubOptions = {
  /** Organisations and their repositories; `octo` with an empty `octo/hello` when left out. */
  readonly organizations?: readonly AccountOptions[];
  /** People, who may do everything. Default `["octocat"]`. */
  readonly users?: readonly (string | AccountOptions)[];
  readonly app?: {
    readonly id?: number;
    readonly slug?: string;
    /** PEM. Default: a new key. */
    readonly privateKey?: string;
    /** What the App asks for, and its installations grant. Default: all that the hub has, at `write`. */
    readonly permissions?: Grants;
    /** Events that are sent to the webhook. Default: all that the hub makes. */
    readonly events?: readonly string[];
  };
  readonly webhook?: {
    /** Where events go. Without one nothing is sent, nor kept in the deliveries log; `setWebhook` names it later. */
    readonly url?: string;
    /** Default: a random one. */
    readonly secret?: string;
    /** How long the receiver may take. Default 10,000. */
    readonly timeoutMs?: number;
  };
  /** Requests an hour for each installation and user. Default 5000. */
  readonly rateLimit?: number;
  readonly faults?: FaultSettings;
  /** Ids count up from here. Default 1001: hubs whose jobs share an engine need different ones. */
  readonly firstId?: number;
  /** The clock, for tests of what expires. */
  readonly now?: () => Date;
  /** Hears every event, whether the App gets it or not. */
  onEvent?(event: HubEvent): void;
};

export type AccountOptions = {
  readonly login: string;
  readonly repositories?: readonly RepositoryOptions[];
  readonly variables?: { readonly [name: string]: string };
  /** A user's SSH keys: `ssh-ed25519 AAAA…`. */
  readonly keys?: readonly string[];
  /** Whether the App is installed, or on which repositories only. Organisations: default true; users: default false. */
  readonly installed?: boolean | readonly string[];
  /** What this installation grants, where it is not what the App asks for. */
  readonly permissions?: Grants;
};

export type RepositoryOptions = {
  readonly name: string;
  /** Default true. */
  readonly private?: boolean;
  /** Default: that of `from` or `forkOf`, else `main`. */
  readonly defaultBranch?: string;
  /** A repository on this machine, bare or not, that is copied. */
  readonly from?: string;
  /** `OWNER/NAME` of one before it in the options, of which this is a fork. */
  readonly forkOf?: string;
  /** The first commit, or one on top of `from`. */
  readonly files?: { readonly [path: string]: string };
  readonly variables?: { readonly [name: string]: string };
  /** Environments whose jobs wait until they are approved. */
  readonly reviewedEnvironments?: readonly string[];
};

export const ALL_PERMISSIONS: Grants = {
  actions: "write",
  actions_variables: "write",
  checks: "write",
  contents: "write",
  deployments: "write",
  metadata: "read",
  pull_requests: "write",
};

export const ALL_EVENTS: readonly string[] = [
  "check_run",
  "check_suite",
  "create",
  "delete",
  "issue_comment",
  "pull_request",
  "push",
  "release",
  "repository_dispatch",
  "workflow_dispatch",
  "workflow_job",
  "workflow_run",
];
