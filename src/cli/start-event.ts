import { BerthError } from "../../runner/errors.ts";
import type { Json } from "../../runner/expressions/template.ts";
import {
  type DispatchInputs,
  resolveDispatchInputs,
} from "../../runner/workflow/dispatch-inputs.ts";
import { type EventFacts, matchEvent } from "../../runner/workflow/match-event.ts";
import type { Workflow } from "../../runner/workflow/workflow.ts";
import { eventPayload, type JsonObject } from "./event/event-payload.ts";
import { refsOf } from "./event/github-context.ts";
import { NO_COMMIT, type RepositoryFacts } from "./event/read-repository.ts";
import type { Values } from "./read-settings.ts";

/** The event that a command was told of, before it is known which workflows it starts. */
export type GivenEvent = {
  /** `undefined` when none was named. */
  readonly name: string | undefined;
  readonly payload: JsonObject;
  readonly actor: string;
  readonly inputs: Values;
};

/** A workflow and the event that starts it. */
export type Start = {
  readonly workflow: Workflow;
  readonly eventName: string;
  readonly event: JsonObject;
  readonly inputs: Json;
  /** Why GitHub would not start it, where a file was named all the same. */
  readonly mismatch?: string;
};

const DEFAULT_EVENT = "push";

/**
 * The workflows that the event starts. Those of files that were named start whatever their filters say; they must
 * know the event, though.
 *
 * @throws {BerthError} `USAGE` when no workflow knows the event, `INPUT_INVALID` for inputs that one does not take.
 */
export async function startWorkflows(
  workflows: readonly Workflow[],
  given: GivenEvent,
  { facts, areNamed }: { facts: RepositoryFacts; areNamed: boolean },
): Promise<{ starts: Start[]; skipped: { file: string; why: string }[] }> {
  const starts: Start[] = [];
  const skipped: { file: string; why: string }[] = [];
  const unknown: Workflow[] = [];
  for (const workflow of workflows) {
    const eventName = given.name ?? defaultEvent(workflow);
    if (workflow.on[eventName] === undefined) {
      unknown.push(workflow);
      skipped.push({ file: workflow.file, why: notStartedBy(workflow, eventName) });
      continue;
    }
    const start = startOf(workflow, eventName, given, facts);
    const match = matchEvent(workflow, await factsOf(start, facts));
    if (match.runs) starts.push(start);
    else if (areNamed) starts.push({ ...start, mismatch: match.why });
    else skipped.push({ file: workflow.file, why: match.why });
  }
  const isHopeless = areNamed ? unknown.length > 0 : unknown.length === workflows.length;
  if (isHopeless) throw nothingStarts(given.name ?? DEFAULT_EVENT, unknown);
  return { starts, skipped };
}

/** A workflow that can only be started by hand is started by hand. */
function defaultEvent({ on }: Workflow): string {
  const events = Object.keys(on);
  return events.length === 1 && events[0] === "workflow_dispatch" ? events[0] : DEFAULT_EVENT;
}

function startOf(
  workflow: Workflow,
  eventName: string,
  given: GivenEvent,
  facts: RepositoryFacts,
): Start {
  const inputs = inputsOf(workflow, eventName, given);
  const [cron] = workflow.on[eventName]?.crons ?? [];
  const request = {
    name: eventName,
    given: given.payload,
    actor: given.actor,
    inputs: {},
    workflowFile: workflow.file,
    ...(cron !== undefined && { cron }),
  };
  const payload = eventPayload(request, facts);
  const event = inputs === undefined ? payload : { ...payload, inputs: inputs.event };
  return { workflow, eventName, event, inputs: inputs?.inputs ?? null };
}

/** Of flags and files, and below them of the event file's payload. */
function inputsOf(
  workflow: Workflow,
  eventName: string,
  { inputs, payload }: GivenEvent,
): DispatchInputs | undefined {
  if (eventName === "workflow_dispatch") {
    return resolveDispatchInputs(workflow, { ...inputsOfPayload(payload), ...inputs });
  }
  const [name] = Object.keys(inputs);
  if (name === undefined) return undefined;
  throw new BerthError("INPUT_INVALID", {
    message: `${workflow.file}: --input ${name} is given, but ${eventName} has no inputs.`,
    remedy: "Inputs belong to a manual start: add -e workflow_dispatch.",
  });
}

function inputsOfPayload(payload: JsonObject): Values {
  const { inputs } = payload;
  if (typeof inputs !== "object" || inputs === null || Array.isArray(inputs)) return {};
  return Object.fromEntries(
    Object.entries(inputs).flatMap(([name, value]) =>
      value === null || typeof value === "object" ? [] : [[name, String(value)]],
    ),
  );
}

async function factsOf(start: Start, facts: RepositoryFacts): Promise<EventFacts> {
  const { eventName, event } = start;
  const { ref, baseRef } = refsOf(start, facts);
  const { action } = event;
  const isPullRequest = eventName.startsWith("pull_request");
  const changedFiles = await changesOf(start, facts);
  return {
    name: eventName,
    ref,
    ...(typeof action === "string" && { action }),
    ...(isPullRequest && baseRef !== "" && { branch: baseRef }),
    ...(changedFiles !== undefined && { changedFiles }),
    headMessage: messageOf(event, facts),
  };
}

async function changesOf(
  { eventName, event }: Start,
  facts: RepositoryFacts,
): Promise<string[] | undefined> {
  if (eventName.startsWith("pull_request")) {
    return facts.mergeBase === NO_COMMIT ? undefined : facts.changedSince(facts.mergeBase);
  }
  if (eventName !== "push") return undefined;
  const { before } = event;
  return typeof before === "string" && /^[0-9a-f]{40}$/.test(before)
    ? facts.changedSince(before)
    : undefined;
}

function messageOf({ head_commit: head }: JsonObject, facts: RepositoryFacts): string {
  const given = typeof head === "object" && head !== null && "message" in head ? head.message : "";
  return typeof given === "string" && given !== "" ? given : (facts.head?.message ?? "");
}

function notStartedBy({ on }: Workflow, event: string): string {
  return `It runs on ${Object.keys(on).join(", ")}, not on ${event}.`;
}

function nothingStarts(event: string, unknown: readonly Workflow[]): BerthError {
  const lines = unknown.map((workflow) => `${workflow.file}: ${notStartedBy(workflow, event)}`);
  const events = [...new Set(unknown.flatMap(({ on }) => Object.keys(on)))];
  return new BerthError("USAGE", {
    message: `No workflow is started by the event ${event}.\n${lines.join("\n")}`,
    remedy: `Name another event: ${events.map((name) => `-e ${name}`).join(", ")}.`,
  });
}
