import type { Json } from "../../../runner/expressions/template.ts";
import { type JsonObject, shortRef } from "./event-payload.ts";
import { NO_COMMIT, type RepositoryFacts } from "./read-repository.ts";
import { stableId } from "./stable-id.ts";

/** What a run is started with, besides its workflow. */
export type RunOrigin = {
  readonly eventName: string;
  readonly event: JsonObject;
  readonly actor: string;
  readonly githubUrl?: string;
  readonly apiUrl?: string;
};

export type RunIdentity = {
  readonly runId: string;
  readonly runNumber: number;
  /** Relative to the repository's root. */
  readonly workflowFile: string;
  /** `name` of the workflow, else its file. */
  readonly workflow: string;
};

const RETENTION_DAYS = "90";

/** The `github` context of a run, except for what only a job or a step can know. */
export function githubContext(
  origin: RunOrigin,
  { runId, runNumber, workflowFile, workflow }: RunIdentity,
  facts: RepositoryFacts,
): JsonObject {
  const { ref, sha, baseRef, headRef } = refsOf(origin, facts);
  const owner = facts.repository.split("/")[0] ?? "";
  const serverUrl = (origin.githubUrl ?? facts.serverUrl).replace(/\/+$/, "");
  const apiUrl = (origin.apiUrl ?? apiOf(serverUrl)).replace(/\/+$/, "");
  return {
    actor: origin.actor,
    actor_id: stableId(origin.actor),
    api_url: apiUrl,
    base_ref: baseRef,
    event: origin.event,
    event_name: origin.eventName,
    graphql_url: graphqlOf(apiUrl),
    head_ref: headRef,
    ref,
    ref_name: shortRef(ref),
    ref_protected: false,
    ref_type: ref.startsWith("refs/tags/") ? "tag" : "branch",
    repository: facts.repository,
    repository_id: stableId(facts.repository),
    repository_owner: owner,
    repository_owner_id: stableId(owner),
    repositoryUrl: `${serverUrl.replace(/^https?/, "git")}/${facts.repository}.git`,
    retention_days: RETENTION_DAYS,
    run_id: runId,
    run_number: String(runNumber),
    run_attempt: "1",
    secret_source: "Actions",
    server_url: serverUrl,
    sha,
    triggering_actor: origin.actor,
    workflow,
    workflow_ref: `${facts.repository}/${workflowFile}@${ref}`,
    workflow_sha: sha,
  };
}

export type Refs = { ref: string; sha: string; baseRef: string; headRef: string };

/** Which commit and ref an event is about; see GitHub's page on events that trigger workflows. */
export function refsOf(
  { eventName, event }: Pick<RunOrigin, "eventName" | "event">,
  facts: RepositoryFacts,
): Refs {
  const plain = { ref: facts.ref, sha: facts.sha, baseRef: "", headRef: "" };
  switch (eventName) {
    case "push": {
      const ref = text(event, "ref") ?? facts.ref;
      const after = text(event, "after");
      return { ...plain, ref: fullRef(ref), sha: after && after !== NO_COMMIT ? after : facts.sha };
    }
    case "pull_request":
    case "pull_request_review":
    case "pull_request_review_comment": {
      const number = event.number ?? at(event, "pull_request", "number") ?? 1;
      const sha = text(event, "pull_request", "merge_commit_sha") ?? facts.sha;
      return { ...pullRequestRefs(event), ref: `refs/pull/${number}/merge`, sha };
    }
    case "pull_request_target": {
      const refs = pullRequestRefs(event);
      const sha = text(event, "pull_request", "base", "sha") ?? facts.sha;
      return { ...refs, ref: `refs/heads/${refs.baseRef}`, sha };
    }
    case "release":
      return { ...plain, ref: `refs/tags/${text(event, "release", "tag_name") ?? ""}` };
    case "workflow_dispatch":
      return { ...plain, ref: fullRef(text(event, "ref") ?? facts.ref) };
    case "merge_group":
      return { ...plain, ref: fullRef(text(event, "merge_group", "head_ref") ?? facts.ref) };
    default:
      return plain;
  }
}

function pullRequestRefs(event: JsonObject): { baseRef: string; headRef: string } {
  return {
    baseRef: text(event, "pull_request", "base", "ref") ?? "",
    headRef: text(event, "pull_request", "head", "ref") ?? "",
  };
}

function fullRef(ref: string): string {
  return ref.startsWith("refs/") ? ref : `refs/heads/${ref}`;
}

function at(value: Json | undefined, ...path: readonly string[]): Json | undefined {
  let found = value;
  for (const key of path) {
    if (typeof found !== "object" || found === null || Array.isArray(found)) return undefined;
    found = (found as JsonObject)[key];
  }
  return found;
}

function text(event: JsonObject, ...path: readonly string[]): string | undefined {
  const found = at(event, ...path);
  return typeof found === "string" && found !== "" ? found : undefined;
}

/** The API of GitHub's own hosts has a host of its own, an enterprise server has it below its address. */
export function apiOf(serverUrl: string): string {
  const server = serverUrl.replace(/\/+$/, "");
  const [, host] = /^https:\/\/((?:[\w-]+\.)?ghe\.com|github\.com)$/i.exec(server) ?? [];
  return host === undefined ? `${server}/api/v3` : `https://api.${host.toLowerCase()}`;
}

function graphqlOf(apiUrl: string): string {
  return apiUrl.endsWith("/api/v3") ? apiUrl.replace(/v3$/, "graphql") : `${apiUrl}/graphql`;
}
