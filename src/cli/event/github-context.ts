import type { Json } from "../../../runner/expressions/template.ts";
import {
  githubContext as contextOfRun,
  type RunRefs,
} from "../../../runner/workflow/github-context.ts";
import type { JsonObject } from "./event-payload.ts";
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

/** The `github` context of a run, except for what only a job or a step can know. */
export function githubContext(
  origin: RunOrigin,
  { runId, runNumber, workflowFile, workflow }: RunIdentity,
  facts: RepositoryFacts,
): JsonObject {
  const owner = facts.repository.split("/")[0] ?? "";
  const serverUrl = (origin.githubUrl ?? facts.serverUrl).replace(/\/+$/, "");
  return contextOfRun({
    eventName: origin.eventName,
    event: origin.event,
    refs: refsOf(origin, facts),
    repository: {
      fullName: facts.repository,
      id: stableId(facts.repository),
      ownerId: stableId(owner),
    },
    actor: { login: origin.actor, id: stableId(origin.actor) },
    triggeringActor: origin.actor,
    runId,
    runNumber,
    attempt: 1,
    workflowFile,
    workflow,
    serverUrl,
    apiUrl: origin.apiUrl ?? apiOf(serverUrl),
  });
}

/** Which commit and ref an event is about; see GitHub's page on events that trigger workflows. */
export function refsOf(
  { eventName, event }: Pick<RunOrigin, "eventName" | "event">,
  facts: RepositoryFacts,
): RunRefs {
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
