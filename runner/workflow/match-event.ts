import { matchesPatterns } from "./match-pattern.ts";
import type { Trigger, Workflow } from "./workflow.ts";

/** What the filters of a workflow ask of an event; what is absent is not known and passes. */
export type EventFacts = {
  readonly name: string;
  /** The activity type: `action` of the payload. */
  readonly action?: string;
  /** `refs/heads/…` or `refs/tags/…`. */
  readonly ref?: string;
  /** The branch that branch filters test for other events than push: the base of a pull request, say. */
  readonly branch?: string;
  readonly changedFiles?: readonly string[];
  /** Message of the head commit. */
  readonly headMessage?: string;
  /** Of `workflow_run`: the workflow that ran. */
  readonly workflow?: string;
  /** Of `schedule`: the entry that is due. */
  readonly cron?: string;
};

/** Whether a workflow runs for an event, and if not, why. */
export type EventMatch = { readonly runs: true } | { readonly runs: false; readonly why: string };

const DEFAULT_TYPES: { readonly [event: string]: readonly string[] } = {
  pull_request: ["opened", "synchronize", "reopened"],
  pull_request_target: ["opened", "synchronize", "reopened"],
};
const SKIPPING_EVENTS: ReadonlySet<string> = new Set(["push", "pull_request"]);
const SKIP_WORDS = /\[(?:skip ci|ci skip|no ci|skip actions|actions skip)\]/i;
const SKIP_TRAILER = /\n\s*\n(?:.*\n)*skip-checks:\s*true\s*$/i;
const MAX_FILES = 300;

/** Tests an event against `on`. */
export function matchEvent(workflow: Workflow, event: EventFacts): EventMatch {
  const trigger = workflow.on[event.name];
  if (!trigger) {
    const events = Object.keys(workflow.on).join(", ");
    return { runs: false, why: `It runs on ${events}, not on ${event.name}.` };
  }
  const why =
    skipWords(event) ??
    missesType(trigger, event) ??
    missesRef(trigger, event) ??
    missesPaths(trigger, event) ??
    missesWorkflow(trigger, event) ??
    missesCron(trigger, event);
  return why === undefined ? { runs: true } : { runs: false, why };
}

function skipWords({ name, headMessage = "" }: EventFacts): string | undefined {
  if (!SKIPPING_EVENTS.has(name)) return undefined;
  const word =
    SKIP_WORDS.exec(headMessage)?.[0] ??
    SKIP_TRAILER.exec(headMessage)?.[0].trim().split("\n").at(-1);
  return word === undefined ? undefined : `The head commit's message says ${word}.`;
}

function missesType(trigger: Trigger, { name, action }: EventFacts): string | undefined {
  const types = trigger.types ?? DEFAULT_TYPES[name];
  if (!types || action === undefined || types.includes(action)) return undefined;
  return `Its types are ${types.join(", ")}, not ${action}.`;
}

function missesRef(trigger: Trigger, event: EventFacts): string | undefined {
  if (event.name !== "push") {
    return event.branch === undefined ? undefined : missesName(trigger, "branches", event.branch);
  }
  const branch = event.ref?.startsWith("refs/heads/")
    ? event.ref.slice("refs/heads/".length)
    : undefined;
  const tag = event.ref?.startsWith("refs/tags/")
    ? event.ref.slice("refs/tags/".length)
    : undefined;
  const filtersBranches =
    trigger.branches !== undefined || trigger["branches-ignore"] !== undefined;
  const filtersTags = trigger.tags !== undefined || trigger["tags-ignore"] !== undefined;
  if (branch !== undefined) {
    if (filtersTags && !filtersBranches) return "It runs for tags only.";
    return missesName(trigger, "branches", branch);
  }
  if (tag !== undefined) {
    if (filtersBranches && !filtersTags) return "It runs for branches only.";
    return missesName(trigger, "tags", tag);
  }
  return undefined;
}

function missesName(trigger: Trigger, kind: "branches" | "tags", name: string): string | undefined {
  const wanted = trigger[kind];
  const ignored = trigger[`${kind}-ignore`];
  if (wanted && !matchesPatterns(name, wanted)) {
    return `Its ${kind} are ${wanted.join(", ")}; ${name} is not among them.`;
  }
  if (ignored && matchesPatterns(name, ignored)) return `Its ${kind}-ignore has ${name}.`;
  return undefined;
}

function missesPaths(trigger: Trigger, { ref, changedFiles }: EventFacts): string | undefined {
  if (changedFiles === undefined || ref?.startsWith("refs/tags/")) return undefined;
  const files = changedFiles.slice(0, MAX_FILES);
  const wanted = trigger.paths;
  const ignored = trigger["paths-ignore"];
  if (wanted && !files.some((file) => matchesPatterns(file, wanted))) {
    return `None of the changed files is in its paths: ${wanted.join(", ")}.`;
  }
  if (ignored && files.every((file) => matchesPatterns(file, ignored))) {
    return `All changed files are in its paths-ignore: ${ignored.join(", ")}.`;
  }
  return undefined;
}

function missesWorkflow({ workflows }: Trigger, { workflow }: EventFacts): string | undefined {
  if (!workflows || workflow === undefined || matchesPatterns(workflow, workflows))
    return undefined;
  return `It follows ${workflows.join(", ")}, not ${workflow}.`;
}

function missesCron({ crons }: Trigger, { cron }: EventFacts): string | undefined {
  if (!crons || cron === undefined || crons.includes(cron)) return undefined;
  return `Its schedule is ${crons.join(", ")}, not ${cron}.`;
}
