import type { Conclusion } from "../../../runner/job/job-description.ts";
import type { Annotation, JobEvent } from "../../../runner/job/job-event.ts";
import { LogTail } from "./log-tail.ts";

/** What is known of one job: its events, added up. It takes little memory, however much the job prints. */
export type JobView = {
  host?: string;
  image?: string;
  readonly steps: StepView[];
  /** In the order in which they were told. */
  readonly annotations: StepAnnotation[];
  /** The end of the log; of the first step that failed, once one has. */
  log: LogTail;
  /** The end of what the present step says. */
  stepLog: LogTail;
  /** Number of the first step that failed. */
  failed?: number;
  ended?: JobEnd;
};

export type StepView = {
  /** Counts from 1; set-up and clean-up are steps too. */
  readonly number: number;
  readonly name: string;
  /** Milliseconds since 1970; absent where an earlier life of the service saw it begin. */
  readonly startedAtMs?: number;
  conclusion?: Conclusion;
  ms?: number;
  /** Markdown; its beginning where it is long. */
  summary?: string;
};

export type StepAnnotation = Annotation & { readonly step: number };

type JobEnd = Omit<JobEvent & { type: "job_finished" }, "type" | "job" | "name">;

/** GitHub shows at most this many step summaries of a job. */
const MAX_SUMMARIES = 20;
/** More of one does not fit into a check run. */
const MAX_SUMMARY_CHARACTERS = 65_535;

export function emptyJobView(): JobView {
  return { steps: [], annotations: [], log: new LogTail(), stepLog: new LogTail() };
}

/**
 * Adds an event. One that a job begins anew with drops what was known of its steps.
 *
 * @param atMs When it happened, milliseconds since 1970; `undefined` of one that was read from a journal.
 */
export function applyJobEvent(view: JobView, event: JobEvent, atMs: number | undefined): void {
  switch (event.type) {
    case "job_started":
      begin(view, event);
      return;
    case "step_started":
      view.stepLog = new LogTail();
      view.steps.push({
        number: event.step,
        name: event.stepName,
        ...(atMs !== undefined && { startedAtMs: atMs }),
      });
      return;
    case "log":
      // What follows a failed step tells less than its own last lines.
      if (view.failed !== undefined && event.step > view.failed) return;
      view.log.add(event.line);
      if (view.failed === undefined) view.stepLog.add(event.line);
      return;
    case "annotation": {
      const { type, job, name, ...annotation } = event;
      view.annotations.push(annotation);
      return;
    }
    case "step_summary":
      addSummary(view, event);
      return;
    case "step_finished":
      endStep(view, event);
      return;
    case "job_finished": {
      const { type, job, name, ...ended } = event;
      view.ended = ended;
      return;
    }
    default:
      event satisfies never;
  }
}

/** What the job does now. */
export function currentStep({ steps }: JobView): StepView | undefined {
  return steps.findLast(({ conclusion }) => conclusion === undefined);
}

export function failedStep({ steps, failed }: JobView): StepView | undefined {
  return steps.find(({ number }) => number === failed);
}

function begin(view: JobView, { host, image }: JobEvent & { type: "job_started" }): void {
  view.steps.length = 0;
  view.log = new LogTail();
  view.stepLog = new LogTail();
  delete view.failed;
  delete view.ended;
  Object.assign(view, { host, image });
}

function addSummary(view: JobView, event: JobEvent & { type: "step_summary" }): void {
  const step = stepOf(view, event.step);
  const others = view.steps.filter((one) => one !== step && one.summary !== undefined);
  if (step === undefined || others.length >= MAX_SUMMARIES) return;
  step.summary = event.markdown.slice(0, MAX_SUMMARY_CHARACTERS);
}

function endStep(view: JobView, event: JobEvent & { type: "step_finished" }): void {
  const { conclusion, ms } = event;
  if (conclusion === "failure" && view.failed === undefined) {
    view.failed = event.step;
    view.log = view.stepLog;
  }
  const step = stepOf(view, event.step);
  if (step === undefined) {
    // A skipped step may never have begun.
    view.steps.push({ number: event.step, name: event.stepName, conclusion, ms });
    return;
  }
  Object.assign(step, { conclusion, ms });
}

function stepOf({ steps }: JobView, number: number): StepView | undefined {
  return steps.findLast((step) => step.number === number);
}
