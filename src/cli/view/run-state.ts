import type { Conclusion } from "../../../runner/job/job-description.ts";
import type { Annotation } from "../../../runner/job/job-event.ts";
import { parseLogLine } from "./log-line.ts";
import { type LogTail, LogTailKeeper } from "./log-tail.ts";
import type { RunEvent } from "./run-event.ts";

/** What is known of the runs so far: the events, added up. Times are milliseconds since 1970. */
export type RunState = {
  readonly runs: Map<
    string,
    { readonly workflow: string; readonly startedAt: number; conclusion?: Conclusion; ms?: number }
  >;
  /** In the order in which they began. */
  readonly jobs: Map<string, JobState>;
};

export type JobState = {
  readonly run: string;
  readonly name: string;
  readonly startedAt: number;
  readonly steps: StepState[];
  conclusion?: Conclusion;
  ms?: number;
  reason?: string;
};

export type StepState = {
  readonly number: number;
  readonly name: string;
  readonly startedAt: number;
  readonly annotations: Annotation[];
  /** While the step runs. */
  log?: LogTailKeeper;
  /** What the step printed last, while it runs; of a long line the beginning. */
  progress?: string;
  isInHeader?: boolean;
  conclusion?: Conclusion;
  outcome?: Conclusion;
  ms?: number;
  summary?: string;
  /** Kept of a step that failed; the others' logs are let go. */
  failedLog?: LogTail;
};

export function emptyRunState(): RunState {
  return { runs: new Map(), jobs: new Map() };
}

/** Adds an event to what is known. */
export function applyEvent(state: RunState, event: RunEvent): void {
  switch (event.type) {
    case "run_started":
      state.runs.set(event.run, { workflow: event.workflow, startedAt: Date.parse(event.at) });
      return;
    case "run_finished": {
      const run = state.runs.get(event.run);
      if (run) Object.assign(run, { conclusion: event.conclusion, ms: event.ms });
      return;
    }
    case "job_started":
      beginJob(state, event);
      return;
    case "job_finished": {
      const job = jobOf(state, event) ?? beginJob(state, event);
      Object.assign(job, { conclusion: event.conclusion, ms: event.ms });
      if (event.reason !== undefined) job.reason = event.reason;
      return;
    }
    case "step_started":
      jobOf(state, event)?.steps.push({
        number: event.step,
        name: event.stepName,
        startedAt: Date.parse(event.at),
        annotations: [],
        log: new LogTailKeeper(),
      });
      return;
    case "step_finished":
      endStep(state, event);
      return;
    case "log":
      addLine(stepOf(state, event), event.line);
      return;
    case "annotation":
      stepOf(state, event)?.annotations.push(event);
      return;
    case "step_summary": {
      const step = stepOf(state, event);
      if (step) step.summary = event.markdown;
      return;
    }
    default:
      event satisfies never;
  }
}

export function jobKey({ run, name }: { run: string; name: string }): string {
  return `${run}\n${name}`;
}

export function jobOf(state: RunState, event: { run: string; name: string }): JobState | undefined {
  return state.jobs.get(jobKey(event));
}

export function stepOf(
  state: RunState,
  event: { run: string; name: string; step: number },
): StepState | undefined {
  return jobOf(state, event)?.steps.findLast((step) => step.number === event.step);
}

/** A job's name, with its workflow in front where several of them run. */
export function labelOf({ runs }: RunState, { run, name }: { run: string; name: string }): string {
  const workflow = runs.size > 1 ? runs.get(run)?.workflow : undefined;
  if (workflow === undefined) return name;
  return `${workflow.replace(/^.*\//, "").replace(/\.ya?ml$/, "")} / ${name}`;
}

/** "Set up job" first says what will run, then does what takes its time. */
const INTRODUCTION =
  /^(Current runner version|Runner (group )?name|Machine name|Secret source|Prepare |Complete job name)/;
const MAX_PROGRESS_CHARACTERS = 400;

function addLine(step: StepState | undefined, line: string): void {
  if (step?.log === undefined) return;
  const { tag, text } = parseLogLine(line);
  // A step's log begins with a group that repeats its script and environment.
  if (tag === "group" && step.log.isEmpty) step.isInHeader = true;
  if (tag === "endgroup") step.isInHeader = false;
  else if (!step.isInHeader && tag !== "debug" && text !== "" && !INTRODUCTION.test(text)) {
    step.progress = text.slice(0, MAX_PROGRESS_CHARACTERS);
  }
  step.log.add(line);
}

function beginJob(state: RunState, event: { run: string; name: string; at: string }): JobState {
  const { run, name } = event;
  const job: JobState = { run, name, startedAt: Date.parse(event.at), steps: [] };
  state.jobs.set(jobKey(event), job);
  return job;
}

function endStep(state: RunState, event: RunEvent & { type: "step_finished" }): void {
  const job = jobOf(state, event);
  let step = stepOf(state, event);
  if (job !== undefined && step === undefined) {
    // A skipped step may never have begun.
    const startedAt = Date.parse(event.at);
    step = { number: event.step, name: event.stepName, startedAt, annotations: [] };
    job.steps.push(step);
  }
  if (step === undefined) return;
  const { conclusion, outcome, ms } = event;
  Object.assign(step, { conclusion, outcome, ms });
  if (conclusion === "failure" && step.log !== undefined) step.failedLog = step.log.tail;
  delete step.log;
  delete step.progress;
}
