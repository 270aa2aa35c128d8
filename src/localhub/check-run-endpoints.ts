import { emitCheckRun } from "./check-events.ts";
import { checkRunPayload } from "./check-payload.ts";
import { CheckRunChange, NewCheckRun } from "./check-run-request.ts";
import { type CheckRun, suiteFor } from "./checks.ts";
import { askGit } from "./git.ts";
import { resolveCommit } from "./git-objects.ts";
import { actorOf, type Hub, timestamp } from "./hub.ts";
import type { Annotation } from "./hub-facts.ts";
import { counted, paginate } from "./paginate.ts";
import { notFound, Refusal } from "./refusal.ts";
import {
  type Call,
  findById,
  ok,
  type Reply,
  type Route,
  readBody,
  repositoryOf,
} from "./route.ts";

const read = { for: "repository", permission: "checks", level: "read" } as const;
const write = { for: "repository", permission: "checks", level: "write" } as const;
const base = "/repos/:owner/:repo";

/** Check runs: creating, changing and listing them, with the limits that GitHub has. */
export const checkRunRoutes: readonly Route[] = [
  { method: "POST", path: `${base}/check-runs`, access: write, handle: createCheckRun },
  {
    method: "GET",
    path: `${base}/check-runs/:id`,
    access: read,
    handle: (call) => ok(checkRunPayload(call.hub, checkRunOf(call))),
  },
  { method: "PATCH", path: `${base}/check-runs/:id`, access: write, handle: changeCheckRun },
  {
    method: "GET",
    path: `${base}/check-runs/:id/annotations`,
    access: read,
    handle: (call) => paginate(call, checkRunOf(call).annotations, annotationPayload),
  },
  {
    method: "POST",
    path: `${base}/check-runs/:id/rerequest`,
    access: write,
    handle(call) {
      const actor = actorOf(call.hub, call.credential);
      emitCheckRun(call.hub, checkRunOf(call), "rerequested", actor);
      return { status: 201, body: {} };
    },
  },
  { method: "GET", path: `${base}/commits/:ref/check-runs`, access: read, handle: listForCommit },
  {
    method: "GET",
    path: `${base}/check-suites/:id/check-runs`,
    access: read,
    handle(call) {
      const suite = findById(call, call.hub.checkSuites);
      return listCheckRuns(call, (run) => run.suite === suite);
    },
  },
];

function checkRunOf(call: Call): CheckRun {
  return findById(call, call.hub.checkRuns);
}

async function createCheckRun(call: Call): Promise<Reply> {
  const { hub } = call;
  expectApp(call);
  const repository = repositoryOf(call);
  const { name, head_sha: headSha, ...change } = readBody(call, NewCheckRun);
  const isThere = (await askGit(repository.folder, ["cat-file", "-e", `${headSha}^{commit}`])).code;
  if (isThere !== 0) throw new Refusal(422, `No commit found for SHA: ${headSha}`);
  const at = timestamp(hub);
  const suite = { repository, owner: "app", headSha, headBranch: null, createdAt: at } as const;
  const run: CheckRun = {
    ...{ id: hub.nextId(), repository, suite: suiteFor(hub, suite), owner: "app", headSha, name },
    ...{ status: "queued", conclusion: null, detailsUrl: null, externalId: "" },
    ...{ startedAt: at, completedAt: null, title: null, summary: null, text: null },
    ...{ annotations: [], actions: [] },
  };
  applyChange(hub, run, change);
  hub.checkRuns.set(run.id, run);
  emitCheckRun(hub, run, "created", hub.app.bot);
  if (run.status === "completed") emitCheckRun(hub, run, "completed", hub.app.bot);
  return { status: 201, body: checkRunPayload(hub, run) };
}

function changeCheckRun(call: Call): Reply {
  const { hub } = call;
  expectApp(call);
  const run = checkRunOf(call);
  if (run.owner !== "app") {
    throw new Refusal(
      403,
      `Invalid app_id \`${hub.app.id}\` - check run can only be modified by the GitHub App that created it.`,
    );
  }
  const change = readBody(call, CheckRunChange);
  const wasCompleted = run.status === "completed";
  applyChange(hub, run, change);
  if (!wasCompleted && run.status === "completed") {
    emitCheckRun(hub, run, "completed", hub.app.bot);
  }
  return ok(checkRunPayload(hub, run));
}

function applyChange(hub: Hub, run: CheckRun, change: CheckRunChange): void {
  const { output, conclusion } = change;
  // A conclusion completes the run, whatever `status` says.
  const status = conclusion === undefined ? change.status : "completed";
  if (change.name !== undefined) run.name = change.name;
  if (change.details_url !== undefined) run.detailsUrl = change.details_url;
  if (change.external_id !== undefined) run.externalId = change.external_id;
  if (change.started_at !== undefined) run.startedAt = change.started_at;
  if (change.actions !== undefined) run.actions = change.actions;
  if (output) {
    run.title = output.title ?? run.title;
    run.summary = output.summary;
    run.text = output.text ?? run.text;
    run.annotations.push(...(output.annotations ?? []));
  }
  if (status !== undefined) run.status = status;
  if (status === "completed") {
    run.conclusion = conclusion ?? run.conclusion;
    run.completedAt = change.completed_at ?? timestamp(hub);
  } else if (status !== undefined) {
    run.conclusion = null;
    run.completedAt = null;
  }
}

async function listForCommit(call: Call): Promise<Reply> {
  const repository = repositoryOf(call);
  const sha = await resolveCommit(repository.folder, call.params.ref ?? "");
  if (sha === undefined) throw new Refusal(422, `No commit found for SHA: ${call.params.ref}`);
  return listCheckRuns(call, (run) => run.repository === repository && run.headSha === sha);
}

function listCheckRuns(call: Call, isIn: (run: CheckRun) => boolean): Reply {
  const { hub, query } = call;
  const [name, status, appId] = [query.get("check_name"), query.get("status"), query.get("app_id")];
  const found = [...hub.checkRuns.values()]
    .filter(isIn)
    .filter((run) => name === null || run.name === name)
    .filter((run) => status === null || run.status === status)
    .filter((run) => appId === null || (run.owner === "app") === (appId === String(hub.app.id)))
    .toReversed();
  // Of each name the newest, unless all are asked for.
  const latest = new Map<string, CheckRun>();
  for (const run of found.toReversed()) latest.set(`${run.suite.id} ${run.name}`, run);
  const wanted = query.get("filter") === "all" ? found : found.filter((run) => has(latest, run));
  return paginate(call, wanted, (run) => checkRunPayload(hub, run), counted("check_runs"));
}

function has(latest: ReadonlyMap<string, CheckRun>, run: CheckRun): boolean {
  return latest.get(`${run.suite.id} ${run.name}`) === run;
}

function annotationPayload(annotation: Annotation) {
  return {
    path: annotation.path,
    blob_href: "",
    start_line: annotation.start_line,
    end_line: annotation.end_line,
    start_column: annotation.start_column ?? null,
    end_column: annotation.end_column ?? null,
    annotation_level: annotation.annotation_level,
    title: annotation.title ?? null,
    message: annotation.message,
    raw_details: annotation.raw_details ?? null,
  };
}

function expectApp({ credential }: Call): void {
  if (credential.kind === "installation") return;
  throw credential.kind === "anonymous"
    ? notFound()
    : new Refusal(403, "You must authenticate via a GitHub App.");
}
