import { BerthError, textOf } from "../../../runner/errors.ts";
import type { Json } from "../../../runner/expressions/template.ts";
import { shortRef } from "../../../runner/workflow/github-context.ts";
import type { Commit, RepositoryFacts } from "./read-repository.ts";
import { stableId } from "./stable-id.ts";

export type JsonObject = { readonly [key: string]: Json };

export type EventRequest = {
  readonly name: string;
  /** What `--event-file` holds; its fields replace those that git gives, object by object. */
  readonly given: JsonObject;
  readonly actor: string;
  /** Strings, as `github.event.inputs` has them. */
  readonly inputs: { readonly [name: string]: string };
  readonly workflowFile?: string;
  readonly cron?: string;
};

/** The payload of an event as GitHub would send it, as far as git can tell, with what was given on top. */
export function eventPayload(request: EventRequest, facts: RepositoryFacts): JsonObject {
  const everyEvent = {
    repository: repositoryObject(facts),
    sender: userObject(request.actor),
  };
  return merge({ ...ownFields(request, facts), ...everyEvent }, request.given);
}

function ownFields(request: EventRequest, facts: RepositoryFacts): JsonObject {
  switch (request.name) {
    case "push":
      return pushFields(facts);
    case "pull_request":
    case "pull_request_target":
    case "pull_request_review":
    case "pull_request_review_comment":
      return pullRequestFields(request, facts);
    case "workflow_dispatch":
      return {
        ref: facts.ref,
        workflow: request.workflowFile ?? null,
        inputs: Object.keys(request.inputs).length === 0 ? null : request.inputs,
      };
    case "schedule":
      return { schedule: request.cron ?? "0 0 * * *" };
    case "release":
      return releaseFields(request, facts);
    case "create":
    case "delete":
      return { ...refFields(facts), master_branch: facts.defaultBranch, pusher_type: "user" };
    case "repository_dispatch":
      return { action: "berth", branch: facts.defaultBranch, client_payload: {} };
    case "workflow_run":
      return { action: "completed", workflow_run: { conclusion: "success", head_sha: facts.sha } };
    case "merge_group":
      return { action: "checks_requested", merge_group: mergeGroup(facts) };
    case "issues":
    case "issue_comment":
      return {
        action: request.name === "issues" ? "opened" : "created",
        issue: { number: 1, title: "", body: "", state: "open", user: userObject(request.actor) },
      };
    default:
      return {};
  }
}

function pushFields(facts: RepositoryFacts): JsonObject {
  const isTag = facts.ref.startsWith("refs/tags/");
  const head = facts.head === undefined ? null : commitObject(facts.head, facts);
  return {
    ref: facts.ref,
    before: isTag ? "0".repeat(40) : facts.before,
    after: facts.sha,
    created: isTag,
    deleted: false,
    forced: false,
    base_ref: null,
    compare: `${repositoryUrl(facts)}/compare/${facts.before.slice(0, 12)}...${facts.sha.slice(0, 12)}`,
    commits: head === null ? [] : [head],
    head_commit: head,
    pusher: { name: facts.userName, email: facts.userEmail },
  };
}

function pullRequestFields(request: EventRequest, facts: RepositoryFacts): JsonObject {
  const user = userObject(request.actor);
  const repo = repositoryObject(facts);
  const side = (ref: string, sha: string) => ({
    label: `${ownerOf(facts)}:${ref}`,
    ref,
    sha,
    user: userObject(ownerOf(facts)),
    repo,
  });
  const url = `${repositoryUrl(facts)}/pull/1`;
  return {
    action: request.name.startsWith("pull_request_review") ? "submitted" : "opened",
    number: 1,
    pull_request: {
      id: Number(stableId(url)),
      number: 1,
      state: "open",
      title: facts.head?.message.split("\n")[0] ?? "",
      body: null,
      draft: false,
      merged: false,
      html_url: url,
      user,
      labels: [],
      head: side(shortRef(facts.ref), facts.sha),
      base: side(facts.defaultBranch, facts.mergeBase),
      merge_commit_sha: facts.sha,
    },
  };
}

function releaseFields(request: EventRequest, facts: RepositoryFacts): JsonObject {
  const tag = facts.latestTag ?? "v0.0.0";
  const url = `${repositoryUrl(facts)}/releases/tag/${tag}`;
  return {
    action: "published",
    release: {
      id: Number(stableId(url)),
      tag_name: tag,
      name: tag,
      target_commitish: facts.defaultBranch,
      draft: false,
      prerelease: false,
      html_url: url,
      body: "",
      author: userObject(request.actor),
      assets: [],
    },
  };
}

function mergeGroup(facts: RepositoryFacts): JsonObject {
  return {
    head_sha: facts.sha,
    head_ref: `refs/heads/gh-readonly-queue/${facts.defaultBranch}/pr-1-${facts.mergeBase}`,
    base_sha: facts.mergeBase,
    base_ref: `refs/heads/${facts.defaultBranch}`,
  };
}

function refFields({ ref }: RepositoryFacts): JsonObject {
  return { ref: shortRef(ref), ref_type: ref.startsWith("refs/tags/") ? "tag" : "branch" };
}

function commitObject(commit: Commit, facts: RepositoryFacts): JsonObject {
  return {
    id: commit.id,
    tree_id: commit.tree,
    distinct: true,
    message: commit.message,
    timestamp: commit.timestamp,
    url: `${repositoryUrl(facts)}/commit/${commit.id}`,
    author: commit.author,
    committer: commit.committer,
  };
}

function repositoryObject(facts: RepositoryFacts): JsonObject {
  const url = repositoryUrl(facts);
  return {
    id: Number(stableId(facts.repository)),
    name: facts.repository.split("/")[1] ?? "",
    full_name: facts.repository,
    private: false,
    fork: false,
    owner: userObject(ownerOf(facts)),
    html_url: url,
    url,
    clone_url: `${url}.git`,
    default_branch: facts.defaultBranch,
    master_branch: facts.defaultBranch,
  };
}

function userObject(login: string): JsonObject {
  return { login, id: Number(stableId(login)), type: "User" };
}

const ownerOf = (facts: RepositoryFacts) => facts.repository.split("/")[0] ?? "";
const repositoryUrl = (facts: RepositoryFacts) => `${facts.serverUrl}/${facts.repository}`;

function merge(below: JsonObject, above: JsonObject): JsonObject {
  const merged: { [key: string]: Json } = { ...below };
  for (const [key, value] of Object.entries(above)) {
    const old = Object.hasOwn(below, key) ? below[key] : undefined;
    const both = isObject(old) && isObject(value);
    // Defined, not assigned: "__proto__" is a key like any other.
    const property = { value: both ? merge(old, value) : value, enumerable: true };
    Object.defineProperty(merged, key, { ...property, writable: true, configurable: true });
  }
  return merged;
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * Reads an event file.
 *
 * @throws {BerthError} `INPUT_INVALID` when it is not a JSON object.
 */
export function parseEventFile(text: string, file: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(text.replace(/^\uFEFF/, ""));
  } catch (cause) {
    throw new BerthError("INPUT_INVALID", {
      message: `${file} is not JSON: ${textOf(cause)}`,
      remedy: "Give a file with the event's payload as GitHub sends it.",
      cause,
    });
  }
  if (isObject(value as Json)) return value as JsonObject;
  throw new BerthError("INPUT_INVALID", {
    message: `${file} does not hold a JSON object.`,
    remedy: 'An event\'s payload looks like {"action": "opened", "number": 1}.',
  });
}
