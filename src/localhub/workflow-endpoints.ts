import { z } from "zod";
import { dispatch } from "./dispatch.ts";
import { resolveCommit } from "./git-objects.ts";
import { actorOf, type WorkflowEntry } from "./hub.ts";
import { counted, paginate } from "./paginate.ts";
import { notFound } from "./refusal.ts";
import { type Call, ok, type Reply, type Route, readBody, repositoryOf } from "./route.ts";
import { selectRuns } from "./run-endpoints.ts";
import { runPayload, workflowEntryPayload } from "./run-payload.ts";
import { readWorkflows, sendEvent } from "./start-runs.ts";

const Dispatch = z.object({
  ref: z.string(),
  inputs: z.record(z.string(), z.union([z.string(), z.boolean(), z.number()])).default({}),
});
const RepositoryDispatch = z.object({
  event_type: z.string().min(1).max(100),
  client_payload: z.record(z.string(), z.json()).default({}),
});
const read = { for: "repository", permission: "actions", level: "read" } as const;
const write = { for: "repository", permission: "actions", level: "write" } as const;
const base = "/repos/:owner/:repo/actions/workflows";

/** Workflows, and starting one by hand. */
export const workflowRoutes: readonly Route[] = [
  { method: "GET", path: base, access: read, handle: listWorkflows },
  {
    method: "GET",
    path: `${base}/:workflow`,
    access: read,
    async handle(call) {
      const { fullName } = repositoryOf(call);
      return ok(workflowEntryPayload(call.hub, fullName, await entryNamed(call)));
    },
  },
  { method: "GET", path: `${base}/:workflow/runs`, access: read, handle: listRunsOf },
  { method: "POST", path: `${base}/:workflow/dispatches`, access: write, handle: startByHand },
  {
    method: "POST",
    path: "/repos/:owner/:repo/dispatches",
    access: { for: "repository", permission: "contents", level: "write" },
    handle: startByEvent,
  },
];

async function listWorkflows(call: Call): Promise<Reply> {
  const { fullName } = repositoryOf(call);
  const show = (entry: WorkflowEntry) => workflowEntryPayload(call.hub, fullName, entry);
  return paginate(call, await entriesOf(call), show, counted("workflows"));
}

async function listRunsOf(call: Call): Promise<Reply> {
  const entry = await entryNamed(call);
  const runs = selectRuns(call).filter((run) => run.entry === entry);
  return paginate(call, runs, (run) => runPayload(call.hub, run), counted("workflow_runs"));
}

async function startByHand(call: Call): Promise<Reply> {
  const { ref, inputs } = readBody(call, Dispatch);
  const texts = Object.entries(inputs).map(([name, value]) => [name, String(value)]);
  await dispatch(
    call.hub,
    repositoryOf(call),
    { workflow: call.params.workflow ?? "", ref, inputs: Object.fromEntries(texts) },
    actorOf(call.hub, call.credential),
  );
  return { status: 204 };
}

async function startByEvent(call: Call): Promise<Reply> {
  const repository = repositoryOf(call);
  const { event_type: action, client_payload } = readBody(call, RepositoryDispatch);
  await sendEvent(call.hub, {
    ...{ event: "repository_dispatch", action, repository },
    sender: actorOf(call.hub, call.credential),
    fields: { branch: repository.defaultBranch, client_payload },
  });
  return { status: 204 };
}

async function entryNamed(call: Call): Promise<WorkflowEntry> {
  const { workflow = "" } = call.params;
  const entry = (await entriesOf(call)).find(
    ({ id, path }) => String(id) === workflow || path.split("/").at(-1) === workflow,
  );
  if (!entry) throw notFound();
  return entry;
}

/** What the default branch has, and what ran on other branches. */
async function entriesOf(call: Call): Promise<WorkflowEntry[]> {
  const repository = repositoryOf(call);
  const head = await resolveCommit(repository.folder, `refs/heads/${repository.defaultBranch}`);
  if (head !== undefined) await readWorkflows(call.hub, repository, head);
  return [...repository.workflows.values()];
}
