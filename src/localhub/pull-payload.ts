import type { Hub, PullRequest } from "./hub.ts";
import { timestamp } from "./hub.ts";
import type { JsonObject } from "./hub-event.ts";
import {
  accountPayload,
  apiUrl,
  minimalRepository,
  nodeId,
  repositoryPayload,
} from "./repository-payload.ts";

/** A pull request as the API and its events show it. */
export function pullPayload(hub: Hub, pull: PullRequest, baseSha: string): JsonObject {
  const { base, head, number, author } = pull;
  const side = ({ repository, ref }: PullRequest["base"], sha: string): JsonObject => ({
    label: `${repository.owner.login}:${ref}`,
    ref,
    sha,
    user: accountPayload(hub, repository.owner),
    repo: repositoryPayload(hub, repository),
  });
  const isOwn = head.repository === base.repository;
  return {
    id: pull.id,
    node_id: nodeId("PR", pull.id),
    number,
    state: pull.state,
    locked: false,
    draft: false,
    merged: false,
    mergeable: pull.mergeSha !== undefined,
    merge_commit_sha: pull.mergeSha ?? null,
    title: pull.title,
    body: null,
    labels: [],
    user: accountPayload(hub, author),
    author_association: isOwn ? "MEMBER" : "CONTRIBUTOR",
    created_at: pull.createdAt,
    updated_at: timestamp(hub),
    url: apiUrl(hub, `/repos/${base.repository.fullName}/pulls/${number}`),
    html_url: `${hub.url}/${base.repository.fullName}/pull/${number}`,
    head: side(head, pull.headSha),
    base: side(base, baseSha),
  };
}

/** What a run or a check holds of a pull request. */
export function pullReference(
  hub: Hub,
  { id, number, base, head, headSha }: PullRequest,
): JsonObject {
  return {
    id,
    number,
    url: apiUrl(hub, `/repos/${base.repository.fullName}/pulls/${number}`),
    head: { ref: head.ref, sha: headSha, repo: minimalRepository(hub, head.repository) },
    base: { ref: base.ref, repo: minimalRepository(hub, base.repository) },
  };
}
