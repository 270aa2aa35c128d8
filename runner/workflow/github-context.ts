import type { Json } from "../expressions/template.ts";

/** Which commit and ref a run is about; `baseRef` and `headRef` are empty but for pull requests. */
export type RunRefs = {
  readonly ref: string;
  readonly sha: string;
  readonly baseRef: string;
  readonly headRef: string;
};

export type GitHubContextFacts = {
  readonly eventName: string;
  readonly event: { readonly [name: string]: Json };
  readonly refs: RunRefs;
  /** Ids are texts, as in all contexts. */
  readonly repository: { readonly fullName: string; readonly id: string; readonly ownerId: string };
  readonly actor: { readonly login: string; readonly id: string };
  /** Who started this attempt. */
  readonly triggeringActor: string;
  readonly runId: string;
  readonly runNumber: number;
  readonly attempt: number;
  /** Relative to the repository's root. */
  readonly workflowFile: string;
  /** `name` of the workflow, else its file. */
  readonly workflow: string;
  readonly serverUrl: string;
  readonly apiUrl: string;
};

const RETENTION_DAYS = "90";

/** The `github` context of a run, except for what only a job or a step can know. */
export function githubContext(facts: GitHubContextFacts): { readonly [name: string]: Json } {
  const { eventName, event, refs, repository, actor, workflow, workflowFile } = facts;
  const { ref, sha, baseRef, headRef } = refs;
  const serverUrl = facts.serverUrl.replace(/\/+$/, "");
  const apiUrl = facts.apiUrl.replace(/\/+$/, "");
  return {
    actor: actor.login,
    actor_id: actor.id,
    api_url: apiUrl,
    base_ref: baseRef,
    event,
    event_name: eventName,
    graphql_url: graphqlOf(apiUrl),
    head_ref: headRef,
    ref,
    ref_name: shortRef(ref),
    ref_protected: false,
    ref_type: ref.startsWith("refs/tags/") ? "tag" : "branch",
    repository: repository.fullName,
    repository_id: repository.id,
    repository_owner: repository.fullName.split("/")[0] ?? "",
    repository_owner_id: repository.ownerId,
    repositoryUrl: `${serverUrl.replace(/^https?/, "git")}/${repository.fullName}.git`,
    retention_days: RETENTION_DAYS,
    run_id: facts.runId,
    run_number: String(facts.runNumber),
    run_attempt: String(facts.attempt),
    secret_source: "Actions",
    server_url: serverUrl,
    sha,
    triggering_actor: facts.triggeringActor,
    workflow,
    workflow_ref: `${repository.fullName}/${workflowFile}@${ref}`,
    workflow_sha: sha,
  };
}

/** `main` of `refs/heads/main`, `1/merge` of `refs/pull/1/merge`. */
export function shortRef(ref: string): string {
  return ref.replace(/^refs\/(?:heads|tags|pull)\//, "");
}

function graphqlOf(apiUrl: string): string {
  return apiUrl.endsWith("/api/v3") ? apiUrl.replace(/v3$/, "graphql") : `${apiUrl}/graphql`;
}
