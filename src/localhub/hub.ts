import type { KeyObject } from "node:crypto";
import type PQueue from "p-queue";
import type { ConcurrencyGroups } from "../../runner/workflow/concurrency-groups.ts";
import type { CheckRun, CheckSuite } from "./checks.ts";
import type { Faults } from "./faults.ts";
import type { Delivery, HubEvent } from "./hub-event.ts";
import type { Grants } from "./hub-facts.ts";
import type { Job, Run } from "./runs.ts";

/** An organisation, a user or a bot. */
export type Account = {
  readonly id: number;
  readonly login: string;
  readonly type: "Organization" | "User" | "Bot";
  readonly variables: ReadonlyMap<string, string>;
  /** SSH keys. */
  readonly keys?: readonly string[];
};

export type Repository = {
  readonly id: number;
  readonly owner: Account;
  readonly name: string;
  /** `OWNER/NAME`. */
  readonly fullName: string;
  readonly isPrivate: boolean;
  readonly defaultBranch: string;
  /** The bare git directory. */
  readonly folder: string;
  readonly parent?: Repository;
  readonly variables: ReadonlyMap<string, string>;
  /** Environments whose jobs wait until a person approves them. */
  readonly reviewedEnvironments: ReadonlySet<string>;
  /** What changes refs takes turns, so that each push sees its own changes only. */
  readonly changes: PQueue;
  readonly groups: ConcurrencyGroups;
  readonly workflows: Map<string, WorkflowEntry>;
  readonly pulls: PullRequest[];
};

/** A workflow file as the Actions API lists it. */
export type WorkflowEntry = {
  readonly id: number;
  readonly path: string;
  name: string;
  runs: number;
};

export type PullRequest = {
  readonly id: number;
  readonly number: number;
  readonly title: string;
  readonly author: Account;
  readonly base: { readonly repository: Repository; readonly ref: string };
  readonly head: { readonly repository: Repository; readonly ref: string };
  readonly createdAt: string;
  headSha: string;
  /** `undefined` when the two branches do not merge. */
  mergeSha: string | undefined;
  state: "open" | "closed";
};

export type Installation = {
  readonly id: number;
  readonly account: Account;
  readonly permissions: Grants;
  /** `all`, or names without the owner. */
  readonly repositories: "all" | readonly string[];
};

/** Who a request comes from. */
export type Credential =
  | { readonly kind: "anonymous" }
  | { readonly kind: "app" }
  | { readonly kind: "user"; readonly account: Account }
  | {
      readonly kind: "installation";
      readonly token: string;
      readonly installation: Installation;
      readonly repositories: "all" | readonly string[];
      readonly permissions: Grants;
      readonly expiresAtMs: number;
    };

export type AppFacts = {
  readonly id: number;
  readonly clientId: string;
  readonly slug: string;
  readonly name: string;
  readonly publicKey: KeyObject;
  readonly permissions: Grants;
  readonly events: readonly string[];
  readonly bot: Account;
  readonly owner: Account;
};

/** Everything the hub knows; it lives in memory, except for the repositories. */
export type Hub = {
  /** Without a slash at its end. The API is at `/api/v3` below it, as on an enterprise server. */
  readonly url: string;
  readonly folder: string;
  readonly app: AppFacts;
  /** Signs the addresses of archives. */
  readonly archiveKey: Buffer;
  readonly webhook: { url: string | undefined; secret: string; timeoutMs: number };
  readonly accounts: Map<string, Account>;
  /** By `owner/name` in lower case. */
  readonly repositories: Map<string, Repository>;
  readonly installations: Installation[];
  readonly tokens: Map<string, Credential>;
  readonly runs: Map<number, Run>;
  readonly jobs: Map<number, Job>;
  readonly checkRuns: Map<number, CheckRun>;
  readonly checkSuites: Map<number, CheckSuite>;
  /** Oldest first. */
  readonly deliveries: Delivery[];
  readonly outbox: PQueue;
  /** Deliveries that a fault keeps back for now. */
  readonly heldBack: Set<Promise<void>>;
  readonly faults: Faults;
  readonly rateLimits: Map<string, RateLimit>;
  readonly rateLimit: number;
  /** Runs that are being driven; they settle when their last job has ended. */
  readonly driving: Set<Promise<void>>;
  /** Work that an event has led to and that ends by itself. */
  readonly following: Set<Promise<void>>;
  /** Aborted when the hub is disposed of. */
  readonly closed: AbortSignal;
  readonly now: () => Date;
  nextId(): number;
  onEvent(event: HubEvent): void;
};

export type RateLimit = { limit: number; used: number; resetAtMs: number };

export function findRepository(hub: Hub, fullName: string): Repository | undefined {
  return hub.repositories.get(fullName.toLowerCase());
}

/** The App's installation that covers a repository. */
export function installationOf(hub: Hub, repository: Repository): Installation | undefined {
  return hub.installations.find(
    ({ account, repositories }) =>
      account === repository.owner && covers(repositories, repository.name),
  );
}

/** Whether a choice of repositories holds one of this name. */
export function covers(repositories: "all" | readonly string[], name: string): boolean {
  if (repositories === "all") return true;
  return repositories.some((other) => other.toLowerCase() === name.toLowerCase());
}

/** The time as GitHub writes it: whole seconds. */
export function timestamp(hub: Hub): string {
  return `${hub.now().toISOString().slice(0, 19)}Z`;
}

/** Whom an event names as its sender: the user, or the App's bot. */
export function actorOf(hub: Hub, credential: Credential): Account {
  return credential.kind === "user" ? credential.account : hub.app.bot;
}
