import { BerthError } from "../../runner/errors.ts";
import { resolveDispatchInputs } from "../../runner/workflow/dispatch-inputs.ts";
import { emit, payloadOf } from "./emit.ts";
import { resolveCommit } from "./git-objects.ts";
import type { Account, Hub, Repository } from "./hub.ts";
import { notFound, Refusal } from "./refusal.ts";
import type { Run } from "./runs.ts";
import { readWorkflows, startRun } from "./start-runs.ts";

/**
 * Starts a workflow by hand.
 *
 * @param workflow Its id, or its file's name or path.
 * @throws {Refusal} 404 for a workflow, 422 for a branch or inputs that are not there.
 */
export async function dispatch(
  hub: Hub,
  repository: Repository,
  request: {
    readonly workflow: string;
    readonly ref: string;
    readonly inputs: { readonly [name: string]: string };
  },
  actor: Account,
): Promise<Run> {
  const { folder } = repository;
  const name = request.ref.replace(/^refs\/(?:heads|tags)\//, "");
  const branch = await resolveCommit(folder, `refs/heads/${name}`);
  const sha = branch ?? (await resolveCommit(folder, `refs/tags/${name}`));
  if (sha === undefined) throw new Refusal(422, `No ref found for: ${request.ref}`);

  const found = (await readWorkflows(hub, repository, sha)).find(({ entry }) =>
    [String(entry.id), entry.path, entry.path.split("/").at(-1)].includes(request.workflow),
  );
  if (!found) throw notFound();
  const { entry, workflow } = found;
  if (!workflow?.on.workflow_dispatch) {
    throw new Refusal(422, "Workflow does not have 'workflow_dispatch' trigger");
  }
  const { event, inputs } = checkInputs(() => resolveDispatchInputs(workflow, request.inputs));
  const ref = `refs/${branch === undefined ? "tags" : "heads"}/${name}`;
  const given = Object.keys(event).length === 0 ? null : event;
  const fields = { ref, workflow: entry.path, inputs: given };
  const happening = { event: "workflow_dispatch", repository, sender: actor, fields };
  emit(hub, happening);
  const payload = payloadOf(hub, happening);
  const facts = { repository, event: "workflow_dispatch", payload, facts: {}, sha, ref, inputs };
  return await startRun(hub, { ...facts, headBranch: name, actor }, entry, workflow);
}

function checkInputs<Inputs>(resolve: () => Inputs): Inputs {
  try {
    return resolve();
  } catch (error) {
    if (error instanceof BerthError) throw new Refusal(422, error.message);
    throw error;
  }
}
