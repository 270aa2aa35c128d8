import type { Hub } from "./hub.ts";
import type { JsonObject } from "./hub-event.ts";
import { apiUrl } from "./repository-payload.ts";
import type { Run } from "./runs.ts";

/** The `github` context as far as it is known before a job is queued. */
export function githubContext(hub: Hub, run: Run): JsonObject {
  const { repository, ref, sha, pull, entry } = run;
  const { fullName, owner } = repository;
  return {
    event: run.payload,
    event_name: run.event,
    ref,
    ref_name: ref.replace(/^refs\/(?:heads|tags|pull)\//, ""),
    ref_type: ref.startsWith("refs/tags/") ? "tag" : "branch",
    sha,
    head_ref: pull?.head.ref ?? "",
    base_ref: pull?.base.ref ?? "",
    repository: fullName,
    repository_id: String(repository.id),
    repository_owner: owner.login,
    repository_owner_id: String(owner.id),
    run_id: String(run.id),
    run_number: String(run.number),
    run_attempt: String(run.attempt),
    actor: run.actor.login,
    triggering_actor: run.triggeringActor.login,
    workflow: entry.name,
    workflow_ref: `${fullName}/${entry.path}@${ref}`,
    workflow_sha: sha,
    server_url: hub.url,
    api_url: apiUrl(hub, ""),
    graphql_url: apiUrl(hub, "/graphql"),
  };
}
