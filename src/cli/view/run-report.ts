import type { Conclusion } from "../../../runner/job/job-description.ts";
import type { Annotation } from "../../../runner/job/job-event.ts";
import { columnsOf, padColumns } from "./columns.ts";
import { formatDuration } from "./duration.ts";
import { foldLog } from "./fold-log.ts";
import { mark } from "./marks.ts";
import { plainMarkdown } from "./plain-markdown.ts";
import { type JobState, labelOf, type RunState } from "./run-state.ts";
import { type Style, safeLine } from "./style.ts";

/** GitHub shows at most this many step summaries of a job. */
const MAX_SUMMARIES = 20;
const MAX_MESSAGE_LINES = 10;

/** What is said when all is over: failed steps' logs, step summaries, annotations, a table of the jobs. */
export function runReport(
  state: RunState,
  style: Style,
  { withLogs }: { withLogs: boolean },
): string[] {
  const jobs = [...state.jobs.values()].map((job) => ({ ...job, name: labelOf(state, job) }));
  const sections = [
    ...(withLogs ? jobs.flatMap((job) => failedSteps(job, style)) : []),
    ...jobs.flatMap((job) => summaries(job, style)),
    annotations(jobs, style),
    jobTable(jobs, style),
    ...[...state.runs.values()].map((run) => runLine(run, style)),
  ];
  return sections.filter((lines) => lines.length > 0).flatMap((lines) => ["", ...lines]);
}

function failedSteps(job: JobState, style: Style): string[][] {
  return job.steps.flatMap((step) =>
    step.failedLog === undefined
      ? []
      : [
          [
            `${style.red("✗")} ${style.bold(`${job.name} › ${clean(step.name, style)}`)}`,
            ...foldLog(step.failedLog, style).map((line) => `  ${line}`),
          ],
        ],
  );
}

function summaries(job: JobState, style: Style): string[][] {
  const shown = job.steps.filter(({ summary }) => summary?.trim());
  return shown
    .slice(0, MAX_SUMMARIES)
    .map((step) => [
      `${style.bold(`${job.name} › ${clean(step.name, style)}`)} ${style.gray("(summary)")}`,
      ...plainMarkdown(step.summary ?? "", style).map((line) => `  ${safeLine(line, style)}`),
    ]);
}

function annotations(jobs: readonly JobState[], style: Style): string[] {
  const lines = jobs.flatMap((job) =>
    job.steps.flatMap((step) =>
      step.annotations.flatMap((one) => annotationLines(job, one, style)),
    ),
  );
  return lines.length === 0 ? [] : [style.bold("Annotations"), ...lines];
}

function annotationLines(job: JobState, one: Annotation, style: Style): string[] {
  const paint = { error: style.red, warning: style.yellow, notice: style.blue }[one.level];
  const place = [one.file, one.startLine, one.startColumn].filter((part) => part !== undefined);
  const head = [place.join(":"), one.title].filter(Boolean).join("  ");
  const [first = "", ...rest] = one.message.split("\n").slice(0, MAX_MESSAGE_LINES);
  return [
    `  ${paint(one.level.padEnd(7))}  ${style.bold(job.name)}  ${clean(head ? `${head}: ${first}` : first, style)}`,
    ...rest.map((line) => `           ${clean(line, style)}`),
  ];
}

function jobTable(jobs: readonly JobState[], style: Style): string[] {
  const width = Math.max(0, ...jobs.map(({ name }) => columnsOf(name)));
  return jobs.flatMap((job) => {
    const conclusion = job.conclusion;
    if (conclusion === undefined) return [];
    const time = conclusion === "skipped" ? "" : formatDuration(job.ms ?? 0);
    const line = `${mark(conclusion, style)} ${padColumns(job.name, width)}  ${conclusion.padEnd(9)}  ${time}`;
    const reason = job.reason === undefined ? [] : [`    ${style.gray(clean(job.reason, style))}`];
    return [line.trimEnd(), ...reason];
  });
}

function runLine(
  { workflow, conclusion, ms }: { workflow: string; conclusion?: Conclusion; ms?: number },
  style: Style,
): string[] {
  if (conclusion === undefined) return [];
  const words = {
    success: style.green("succeeded"),
    failure: style.red("failed"),
    cancelled: style.yellow("was cancelled"),
    skipped: style.gray("was skipped"),
  }[conclusion];
  return [`${style.bold(workflow)} ${words} in ${formatDuration(ms ?? 0)}`];
}

/** A name or message on one line, harmless for a terminal. */
function clean(text: string, style: Style): string {
  return safeLine(text.replace(/[\r\n\t]+/g, " "), style);
}
