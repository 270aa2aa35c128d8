import type { WorkingTree } from "../../runner/job/working-tree.ts";
import { shortRef } from "../../runner/workflow/github-context.ts";
import { createWorkingTree } from "../working-tree/create-working-tree.ts";
import type { JsonObject } from "./event/event-payload.ts";
import type { RepositoryFacts } from "./event/read-repository.ts";

/**
 * What the run's own repository is to a job: the working tree, whichever way the event names it. A payload may speak of commits that
 * are not here; the folder's commit is HEAD all the same.
 */
export function workingTreeOf(facts: RepositoryFacts, github: JsonObject): WorkingTree {
  const { root, repository, sha } = facts;
  const tree = createWorkingTree({
    root,
    repository,
    sha,
    ref: String(github.ref),
    serverUrl: String(github.server_url),
  });
  const names = [github.sha, github.head_ref, facts.ref, shortRef(facts.ref)];
  const isNamed = (ref: string) => ref !== "" && names.includes(ref);
  return { ...tree, standsFor: (ref) => isNamed(ref) || tree.standsFor(ref) };
}
