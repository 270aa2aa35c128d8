import type { Json } from "../../runner/expressions/template.ts";
import { type EventFacts, matchEvent } from "../../runner/workflow/match-event.ts";
import { checkWorkflow } from "../../runner/workflow/read-workflow.ts";
import { nameRun } from "../../runner/workflow/run-name.ts";
import type { Workflow } from "../../runner/workflow/workflow.ts";
import { suiteFor } from "./checks.ts";
import { driveRun } from "./drive-run.ts";
import { emit, payloadOf } from "./emit.ts";
import { findObject, listTree, readBlob, readCommit, resolveCommit } from "./git-objects.ts";
import { githubContext } from "./github-context.ts";
import {
  type Account,
  type Hub,
  type PullRequest,
  type Repository,
  timestamp,
  type WorkflowEntry,
} from "./hub.ts";
import type { JsonObject } from "./hub-event.ts";
import { emitRun } from "./job-life.ts";
import { runPayload, workflowPayload } from "./run-payload.ts";
import type { Run } from "./runs.ts";
import { variablesFor } from "./variables.ts";

/** An event that workflows may start on. */
export type Trigger = {
  readonly repository: Repository;
  readonly event: string;
  readonly payload: JsonObject;
  readonly facts: Omit<EventFacts, "name">;
  /** The commit whose workflow files count, and `github.sha`. */
  readonly sha: string;
  readonly ref: string;
  /** What the run shows as its commit and branch, where that is another. */
  readonly headSha?: string;
  readonly headBranch: string | null;
  readonly pull?: PullRequest;
  readonly actor: Account;
  readonly inputs?: Json;
  readonly depth?: number;
};

/** `workflow_run` starts at most three runs in a row, so that no two workflows start each other for ever. */
const MAX_DEPTH = 3;
const FOLDER = ".github/workflows";

/** Starts a run of every workflow at the commit that the event is for. */
export async function startRuns(hub: Hub, trigger: Trigger): Promise<Run[]> {
  const runs: Run[] = [];
  for (const { entry, workflow } of await readWorkflows(hub, trigger.repository, trigger.sha)) {
    if (!workflow) {
      if (trigger.event === "push") runs.push(await refuse(hub, trigger, entry));
      continue;
    }
    const { runs: isFor } = matchEvent(workflow, { name: trigger.event, ...trigger.facts });
    if (isFor) runs.push(await startRun(hub, trigger, entry, workflow));
  }
  return runs;
}

/** Starts a run of one workflow, whatever its `on` says. */
export async function startRun(
  hub: Hub,
  trigger: Trigger,
  entry: WorkflowEntry,
  workflow: Workflow,
): Promise<Run> {
  const run = await createRun(hub, trigger, entry, workflow);
  driveRun(hub, run, workflow, { onEnd: (ended) => followRun(hub, ended) });
  return run;
}

/** The workflows of a commit; without `workflow` where a file is not valid. */
export async function readWorkflows(
  hub: Hub,
  repository: Repository,
  commit: string,
): Promise<{ readonly entry: WorkflowEntry; readonly workflow?: Workflow }[]> {
  const { folder } = repository;
  const tree = await findObject(folder, commit, FOLDER);
  if (tree?.type !== "tree") return [];
  const files = (await listTree(folder, tree.sha)).filter(({ path, type }) => {
    return type === "blob" && /\.ya?ml$/.test(path);
  });
  return await Promise.all(
    files.map(async ({ path, sha }) => {
      const file = `${FOLDER}/${path}`;
      const text = (await readBlob(folder, sha))?.toString() ?? "";
      const { workflow } = checkWorkflow({ file, text });
      const isRunnable = workflow?.jobs.every((job) => job.call === undefined) ?? false;
      const entry = entryFor(hub, repository, file, workflow?.name ?? file);
      return { entry, ...(workflow && isRunnable && { workflow }) };
    }),
  );
}

function entryFor(hub: Hub, { workflows }: Repository, path: string, name: string): WorkflowEntry {
  const entry = workflows.get(path) ?? { id: hub.nextId(), path, name, runs: 0 };
  entry.name = name;
  workflows.set(path, entry);
  return entry;
}

async function createRun(
  hub: Hub,
  trigger: Trigger,
  entry: WorkflowEntry,
  workflow: Workflow | undefined,
): Promise<Run> {
  const { repository, sha, headSha = sha, headBranch, pull, actor, inputs = null } = trigger;
  const at = timestamp(hub);
  entry.runs += 1;
  const suite = { repository, owner: "actions", headSha, headBranch, createdAt: at } as const;
  const run: Run = {
    ...{ id: hub.nextId(), number: entry.runs, repository, entry, workflow },
    ...{ event: trigger.event, payload: trigger.payload, inputs, ref: trigger.ref },
    ...{ sha, headSha, headBranch, pull, title: await plainTitle(trigger, entry) },
    headRepository: pull?.head.repository ?? repository,
    ...{ actor, triggeringActor: actor, sender: actor },
    ...{ createdAt: at, startedAt: at, updatedAt: at },
    checkSuiteId: suiteFor(hub, suite).id,
    depth: trigger.depth ?? 0,
    ...{ attempt: 1, status: "queued", conclusion: null, jobs: [], pastAttempts: [] },
    ...{ cancel: new AbortController(), isForced: false },
  };
  const title = workflow && (await evaluatedTitle(hub, run, workflow));
  const named: Run = title === undefined ? run : { ...run, title };
  hub.runs.set(named.id, named);
  return named;
}

async function plainTitle(
  { event, repository, pull, sha }: Trigger,
  entry: WorkflowEntry,
): Promise<string> {
  if (pull) return pull.title;
  if (event !== "push") return entry.name;
  const { message } = await readCommit(repository.folder, sha);
  return message.split("\n")[0] ?? "";
}

async function evaluatedTitle(hub: Hub, run: Run, workflow: Workflow): Promise<string | undefined> {
  const contexts = {
    github: githubContext(hub, run),
    vars: variablesFor(run.repository),
    inputs: run.inputs,
  };
  // A name that cannot be evaluated keeps nobody from running.
  return await nameRun(workflow, contexts).catch(() => undefined);
}

/** GitHub answers a file it cannot read with a run that has failed before it began. */
async function refuse(hub: Hub, trigger: Trigger, entry: WorkflowEntry): Promise<Run> {
  const run = await createRun(hub, trigger, entry, undefined);
  run.status = "completed";
  run.conclusion = "startup_failure";
  emitRun(hub, run, "completed");
  return run;
}

/** Starts the workflows that wait for another one's end. */
export function followRun(hub: Hub, run: Run): void {
  if (run.depth >= MAX_DEPTH) return;
  const following = follow(hub, run).finally(() => hub.following.delete(following));
  hub.following.add(following);
}

async function follow(hub: Hub, run: Run): Promise<void> {
  const { repository, sender } = run;
  const ref = `refs/heads/${repository.defaultBranch}`;
  const sha = await resolveCommit(repository.folder, ref);
  if (sha === undefined || hub.closed.aborted) return;
  const fields = { workflow_run: runPayload(hub, run), workflow: workflowPayload(hub, run) };
  await startRuns(hub, {
    repository,
    event: "workflow_run",
    payload: payloadOf(hub, {
      event: "workflow_run",
      action: "completed",
      repository,
      sender,
      fields,
    }),
    facts: {
      action: "completed",
      workflow: run.entry.name,
      ...(run.headBranch && { branch: run.headBranch }),
    },
    ...{ sha, ref, headBranch: repository.defaultBranch, actor: sender, depth: run.depth + 1 },
  });
}

/** Sends an event that is about the default branch, and starts its workflows there: `release`, `issue_comment`, `schedule`, … */
export async function sendEvent(hub: Hub, happening: Parameters<typeof emit>[1]): Promise<Run[]> {
  const { repository, event, action, sender } = happening;
  // Nobody is told of the clock.
  if (event !== "schedule") emit(hub, happening);
  const ref = `refs/heads/${repository.defaultBranch}`;
  const sha = await resolveCommit(repository.folder, ref);
  if (sha === undefined) return [];
  const { schedule } = happening.fields;
  return await startRuns(hub, {
    ...{ repository, event, payload: payloadOf(hub, happening), sha, ref, actor: sender },
    facts: {
      ...(action !== undefined && { action }),
      ...(typeof schedule === "string" && { cron: schedule }),
    },
    headBranch: repository.defaultBranch,
  });
}
