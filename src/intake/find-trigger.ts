import { z } from "zod";
import type { GitHubRun } from "../github/installation.ts";
import type { TriggerRecord } from "../store/records.ts";

const Side = z.object({
  sha: z.string().optional(),
  repo: z.object({ full_name: z.string() }).nullish(),
});
const Times = z.object({
  updated_at: z.string().nullish(),
  published_at: z.string().nullish(),
  submitted_at: z.string().nullish(),
});

/** What is compared of a payload. */
const Facts = z.object({
  sender: z.object({ login: z.string() }).optional(),
  ref: z.string().nullish(),
  after: z.string().optional(),
  workflow: z.string().optional(),
  pull_request: Times.extend({ number: z.number(), head: Side, base: Side }).optional(),
  merge_group: z.object({ head_sha: z.string() }).optional(),
  workflow_run: Times.extend({ id: z.number() }).optional(),
  comment: Times.optional(),
  review: Times.optional(),
  release: Times.optional(),
  issue: Times.optional(),
});
type Facts = z.infer<typeof Facts>;

/** `undefined`: GitHub sends no event for such runs (`schedule`), so that there is none to be found. */
export function triggerEventOf(runEvent: string): string | undefined {
  switch (runEvent) {
    case "schedule":
    case "dynamic":
    case "workflow_call":
      return undefined;
    case "pull_request_target":
      return "pull_request";
    default:
      return runEvent;
  }
}

/**
 * The event that started a run, found by what both tell: commit and ref, number, sender, workflow; then by time. `undefined` when none
 * fits, and also when two fit that are not the same: a wrong payload would be worse than none.
 *
 * @param candidates Those of the run's repository and event (`triggerEventOf`), in any order.
 * @param accepts Whether the workflow starts for such an event, by its `types`, say.
 */
export function findTrigger(
  run: GitHubRun,
  candidates: readonly TriggerRecord[],
  accepts: (trigger: TriggerRecord) => boolean = () => true,
): TriggerRecord | undefined {
  const event = triggerEventOf(run.event);
  const fitting = candidates
    .filter((trigger) => trigger.event === event && trigger.repositoryId === run.repository.id)
    .flatMap((trigger) => {
      const distanceMs = distanceOf(run, trigger);
      return distanceMs !== undefined && accepts(trigger) ? [{ trigger, distanceMs }] : [];
    })
    .sort((a, b) => a.distanceMs - b.distanceMs);
  const [nearest, ...others] = fitting;
  const rival = others.find(({ trigger }) => !isSamePayload(trigger, nearest?.trigger));
  if (!nearest || isTooClose(nearest.distanceMs, rival?.distanceMs)) return undefined;
  return nearest.trigger;
}

/** A run is created seconds after its event, though a busy GitHub has been seen to take minutes. */
const EARLIEST_MS = 10 * 60_000;
/** A delivery may arrive after the run was created. */
const LATEST_MS = 60_000;
/** Times of runs and payloads are whole seconds. */
const UNSURE_MS = 2_000;
/** A rival must be so many times further away. */
const CLEARLY = 3;

function isTooClose(nearestMs: number, rivalMs: number | undefined): boolean {
  if (rivalMs === undefined) return false;
  return rivalMs - nearestMs < UNSURE_MS || rivalMs < nearestMs * CLEARLY;
}

/** How far in time an event is from a run's creation; `undefined` when it cannot be the one that started it. */
function distanceOf(run: GitHubRun, trigger: TriggerRecord): number | undefined {
  const { success, data: facts } = Facts.safeParse(trigger.payload);
  if (!success || !isOf(run, facts)) return undefined;
  const earlierMs = run.createdAtMs - (ownTime(trigger.event, facts) ?? trigger.receivedAtMs);
  const isPossible = earlierMs <= EARLIEST_MS && earlierMs >= -LATEST_MS;
  // A push is known by its commit and ref, however late it was received.
  return isPossible || run.event === "push" ? Math.abs(earlierMs) : undefined;
}

/** When it happened by its own account; a delivery may have been received hours later. */
function ownTime(event: string, facts: Facts): number | undefined {
  const text = timeText(event, facts);
  const atMs = typeof text === "string" ? Date.parse(text) : Number.NaN;
  return Number.isNaN(atMs) ? undefined : atMs;
}

function timeText(event: string, facts: Facts): string | null | undefined {
  switch (event) {
    case "pull_request":
      return facts.pull_request?.updated_at;
    case "pull_request_review":
      return facts.review?.submitted_at ?? facts.pull_request?.updated_at;
    case "pull_request_review_comment":
    case "issue_comment":
    case "discussion_comment":
      return facts.comment?.updated_at;
    case "release":
      return facts.release?.updated_at ?? facts.release?.published_at;
    case "workflow_run":
      return facts.workflow_run?.updated_at;
    case "issues":
      return facts.issue?.updated_at;
    default:
      return undefined;
  }
}

function isOf(run: GitHubRun, facts: Facts): boolean {
  switch (run.event) {
    case "push":
      return isPushOf(run, facts);
    case "pull_request":
    case "pull_request_target":
    case "pull_request_review":
    case "pull_request_review_comment":
      return isPullOf(run, facts);
    case "merge_group":
      return facts.merge_group?.head_sha === run.headSha;
    case "workflow_dispatch":
      return isDispatchOf(run, facts);
    case "workflow_run":
      // Its sender is whoever caused the first run, which this one need not name.
      return facts.workflow_run !== undefined && facts.workflow_run.id !== run.id;
    case "create":
      return facts.ref === run.headBranch && isSentByActor(run, facts);
    default:
      return isSentByActor(run, facts);
  }
}

function isPushOf(run: GitHubRun, { after, ref }: Facts): boolean {
  const refs = run.headBranch === null ? [] : [`heads/${run.headBranch}`, `tags/${run.headBranch}`];
  return after === run.headSha && refs.some((name) => ref === `refs/${name}`);
}

function isPullOf(run: GitHubRun, { pull_request: pull }: Facts): boolean {
  if (!pull) return false;
  const { number, head, base } = pull;
  const isListed =
    run.pullRequests.length === 0 || run.pullRequests.some((each) => each.number === number);
  if (!isListed) return false;
  // Of `pull_request_target` a run may show either side's commit.
  if (run.event === "pull_request_target" && base.sha === run.headSha) return true;
  const { headRepository } = run;
  const isSource = !headRepository || !head.repo || isSame(head.repo.full_name, headRepository);
  return head.sha === run.headSha && isSource;
}

function isDispatchOf(run: GitHubRun, facts: Facts): boolean {
  const { workflow, ref } = facts;
  const isWorkflow = typeof workflow === "string" && workflow.replace(/@.*$/, "") === run.path;
  const name = typeof ref === "string" ? ref.replace(/^refs\/(?:heads|tags)\//, "") : undefined;
  return isWorkflow && name === run.headBranch && isSentByActor(run, facts);
}

function isSentByActor(run: GitHubRun, { sender }: Facts): boolean {
  return sender?.login === run.actor.login;
}

function isSame(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase();
}

function isSamePayload(one: TriggerRecord, other: TriggerRecord | undefined): boolean {
  return JSON.stringify(one.payload) === JSON.stringify(other?.payload);
}
