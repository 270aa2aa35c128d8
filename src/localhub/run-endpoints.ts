import { z } from "zod";
import { cancelRun, hasFailed, rerun } from "./change-runs.ts";
import { actorOf } from "./hub.ts";
import { approveJob } from "./job-life.ts";
import { counted, paginate } from "./paginate.ts";
import { notFound } from "./refusal.ts";
import {
  type Call,
  findById,
  ok,
  type Reply,
  type Route,
  readBody,
  repositoryOf,
} from "./route.ts";
import { jobPayload, runPayload } from "./run-payload.ts";
import { type Job, jobsOf, type Run } from "./runs.ts";

const Review = z.object({ state: z.enum(["approved", "rejected"]), comment: z.string() });
const read = { for: "repository", permission: "actions", level: "read" } as const;
const write = { for: "repository", permission: "actions", level: "write" } as const;
const base = "/repos/:owner/:repo/actions";

/** Workflow runs and their jobs: what there is, cancelling, running again. */
export const runRoutes: readonly Route[] = [
  { method: "GET", path: `${base}/runs`, access: read, handle: listRuns },
  {
    method: "GET",
    path: `${base}/runs/:id`,
    access: read,
    handle: (call) => ok(runPayload(call.hub, runOf(call))),
  },
  { method: "GET", path: `${base}/runs/:id/jobs`, access: read, handle: listJobs },
  { method: "GET", path: `${base}/runs/:id/attempts/:attempt`, access: read, handle: showAttempt },
  {
    method: "GET",
    path: `${base}/runs/:id/attempts/:attempt/jobs`,
    access: read,
    handle: listJobs,
  },
  {
    method: "GET",
    path: `${base}/jobs/:id`,
    access: read,
    handle: (call) => ok(jobPayload(call.hub, jobOf(call))),
  },
  { method: "POST", path: `${base}/runs/:id/cancel`, access: write, handle: cancel(false) },
  { method: "POST", path: `${base}/runs/:id/force-cancel`, access: write, handle: cancel(true) },
  {
    method: "POST",
    path: `${base}/runs/:id/rerun`,
    access: write,
    handle: (call) => again(call, runOf(call), () => true),
  },
  {
    method: "POST",
    path: `${base}/runs/:id/rerun-failed-jobs`,
    access: write,
    handle: (call) => again(call, runOf(call), hasFailed),
  },
  {
    method: "POST",
    path: `${base}/jobs/:id/rerun`,
    access: write,
    handle(call) {
      const job = jobOf(call);
      return again(call, job.run, (other) => other === job);
    },
  },
  {
    method: "POST",
    path: `${base}/runs/:id/pending_deployments`,
    access: { for: "repository", permission: "deployments", level: "write" },
    handle: review,
  },
];

function runOf(call: Call): Run {
  return findById(call, call.hub.runs);
}

function jobOf(call: Call): Job {
  const job = call.hub.jobs.get(Number(call.params.id));
  if (!job || job.run.repository !== repositoryOf(call)) throw notFound();
  return job;
}

function listRuns(call: Call): Reply {
  const { hub } = call;
  return paginate(call, selectRuns(call), (run) => runPayload(hub, run), counted("workflow_runs"));
}

/** Runs of the repository that pass the query's filters, newest first. */
export function selectRuns(call: Call): Run[] {
  const { hub, query } = call;
  const repository = repositoryOf(call);
  const is = (name: string, ...values: (string | null)[]) => {
    const wanted = query.get(name);
    return wanted === null || values.includes(wanted);
  };
  return [...hub.runs.values()]
    .filter((run) => run.repository === repository)
    .filter(
      (run) =>
        is("status", run.status, run.conclusion) &&
        is("event", run.event) &&
        is("branch", run.headBranch) &&
        is("head_sha", run.headSha) &&
        is("actor", run.actor.login) &&
        is("check_suite_id", String(run.checkSuiteId)) &&
        isCreated(run, query.get("created")),
    )
    .toReversed();
}

/** `created=>=2026-01-01T00:00:00Z`, `<…`, `A..B`, or a day. */
function isCreated({ createdAt }: Run, wanted: string | null): boolean {
  if (wanted === null) return true;
  const [from, to] = wanted.split("..");
  if (from !== undefined && to !== undefined) return createdAt >= from && createdAt <= to;
  const [, operator = "", value = ""] = /^([<>]=?)?(.*)$/.exec(wanted) ?? [];
  if (operator === ">=") return createdAt >= value;
  if (operator === ">") return createdAt > value;
  if (operator === "<=") return createdAt <= value;
  if (operator === "<") return createdAt < value;
  return createdAt.startsWith(value);
}

function listJobs(call: Call): Reply {
  const run = runOf(call);
  const { attempt } = call.params;
  const isAll = call.query.get("filter") === "all";
  const latest = jobsOf(run, attempt === undefined ? run.attempt : Number(attempt));
  const jobs = isAll && attempt === undefined ? run.jobs : latest;
  return paginate(call, jobs, (job) => jobPayload(call.hub, job), counted("jobs"));
}

function showAttempt(call: Call): Reply {
  const run = runOf(call);
  const attempt = Number(call.params.attempt);
  if (attempt === run.attempt) return ok(runPayload(call.hub, run));
  const past = run.pastAttempts[attempt - 1];
  if (!past) throw notFound();
  return ok(past);
}

function cancel(force: boolean): (call: Call) => Reply {
  return (call) => {
    cancelRun(call.hub, runOf(call), actorOf(call.hub, call.credential), { force });
    return { status: 202, body: {} };
  };
}

function again(call: Call, run: Run, wanted: (job: Job) => boolean): Reply {
  rerun(call.hub, run, actorOf(call.hub, call.credential), wanted);
  return { status: 201, body: {} };
}

/** Lets all jobs in that wait for a person; or cancels the run where they are refused. */
function review(call: Call): Reply {
  const run = runOf(call);
  const { state } = readBody(call, Review);
  const actor = actorOf(call.hub, call.credential);
  if (state === "rejected") cancelRun(call.hub, run, actor);
  else {
    for (const job of jobsOf(run)) if (job.status === "waiting") approveJob(call.hub, job, actor);
  }
  return ok([]);
}
