import type { Conclusion } from "../../../runner/job/job-description.ts";
import { columnsOf, cutColumns } from "./columns.ts";
import { formatDuration } from "./duration.ts";
import { mark } from "./marks.ts";
import { type JobState, labelOf, type RunState, type StepState } from "./run-state.ts";
import { type Style, safeLine } from "./style.ts";

/** `now` is milliseconds since 1970, the size is in columns and lines. */
export type ListLook = {
  readonly style: Style;
  readonly spinner: string;
  readonly now: number;
  readonly width: number;
  readonly height: number;
};

/** Steps of every job that is not well; only those that run or failed; none, one line a job. */
type Detail = "steps" | "active steps" | "jobs";

const MIN_NAME_COLUMNS = 12;
const MIN_PROGRESS_COLUMNS = 16;

/**
 * The jobs and their steps as lines that fit. Where there is no room for all of them, steps that are over go first, then
 * all steps, then jobs that are over.
 */
export function jobList(state: RunState, look: ListLook): string[] {
  const jobs = [...state.jobs.values()];
  const foot = footLines(jobs, state, look);
  const room = Math.max(1, look.height - foot.length);
  for (const detail of ["steps", "active steps", "jobs"] as const) {
    const lines = jobs.flatMap((job) => jobLines(job, labelOf(state, job), { ...look, detail }));
    if (lines.length <= room) return [...lines, ...foot];
  }
  return [...fewJobs(jobs, state, look, room), ...foot];
}

type Detailed = ListLook & { readonly detail: Detail };

function fewJobs(
  jobs: readonly JobState[],
  state: RunState,
  look: ListLook,
  room: number,
): string[] {
  const shownCount = Math.max(0, room - 1);
  const running = jobs.filter(isRunning);
  const over = jobs.filter((job) => !isRunning(job));
  const overCount = Math.max(0, shownCount - running.length);
  const shown = [
    ...(overCount > 0 ? over.slice(-overCount) : []),
    ...(shownCount > 0 ? running.slice(0, shownCount) : []),
  ];
  const left = jobs.length - shown.length;
  return [
    look.style.gray(`… ${left} more ${left === 1 ? "job" : "jobs"}`),
    ...shown.flatMap((job) => jobLines(job, labelOf(state, job), { ...look, detail: "jobs" })),
  ];
}

function jobLines(job: JobState, label: string, look: Detailed): string[] {
  const { style, spinner, now, detail } = look;
  const current = job.steps.findLast((step) => step.conclusion === undefined);
  const time = timeOf(job, now);
  const line = fitLine(
    {
      before: `${job.conclusion === undefined ? spinner : mark(job.conclusion, style)} `,
      name: style.bold(safeLine(oneLine(label), style)),
      after: ` ${style.gray(time)}`,
      rest: detail === "jobs" && current !== undefined ? `  › ${nameOf(current, style)}` : "",
    },
    look,
  );
  return [line, ...stepsToShow(job, detail).map((step) => stepLine(step, look))];
}

function stepsToShow(job: JobState, detail: Detail): StepState[] {
  const isWell = !isRunning(job) && job.conclusion !== "failure";
  if (isWell || detail === "jobs") return [];
  if (detail === "steps") return job.steps.filter((step) => step.conclusion !== "skipped");
  return job.steps.filter(({ conclusion }) => conclusion === undefined || conclusion === "failure");
}

function stepLine(step: StepState, look: Detailed): string {
  const { style, spinner, now } = look;
  const sign = step.conclusion === undefined ? spinner : mark(step.conclusion, style);
  const progress = step.conclusion === undefined ? progressOf(step, style) : "";
  return fitLine(
    {
      before: `    ${sign} `,
      name: nameOf(step, style),
      after: ` ${style.gray(timeOf(step, now))}`,
      rest: progress && `  ${style.gray(progress)}`,
    },
    look,
  );
}

/** The step's newest line without its colours. A progress bar writes many times over the same line; the last one counts. */
function progressOf({ progress = "" }: StepState, style: Style): string {
  const newest = progress.split("\r").findLast((part) => part.trim() !== "") ?? "";
  return safeLine(newest.replaceAll("\t", " ").trim(), { ...style, hasColour: false });
}

type LineParts = {
  readonly before: string;
  readonly name: string;
  readonly after: string;
  readonly rest: string;
};

/** The name gives way to the time, and what comes after that is shown when there is room. */
function fitLine({ before, name, after, rest }: LineParts, { width }: ListLook): string {
  const nameRoom = width - columnsOf(before) - columnsOf(after);
  const head = before + cutColumns(name, Math.max(MIN_NAME_COLUMNS, nameRoom)) + after;
  const restRoom = width - columnsOf(head);
  if (rest === "" || restRoom < MIN_PROGRESS_COLUMNS) return cutColumns(head, width);
  return head + cutColumns(rest, restRoom);
}

/** How far it all is; one job alone says so itself. */
function footLines(jobs: readonly JobState[], state: RunState, look: ListLook): string[] {
  const startedAt = Math.min(...[...state.runs.values()].map((run) => run.startedAt));
  if (jobs.length < 2 || look.height < 4) return [];
  const count = (conclusion: Conclusion | undefined) =>
    jobs.filter((job) => job.conclusion === conclusion).length;
  const counts = [
    [count(undefined), "running"],
    [count("success"), "succeeded"],
    [count("failure"), "failed"],
    [count("cancelled"), "cancelled"],
    [count("skipped"), "skipped"],
  ] as const;
  const said = counts.filter(([n]) => n > 0).map(([n, word]) => `${n} ${word}`);
  const time = Number.isFinite(startedAt) ? [formatDuration(look.now - startedAt)] : [];
  return ["", look.style.gray(cutColumns([...said, ...time].join(" · "), look.width))];
}

function timeOf(
  one: { startedAt: number; conclusion?: Conclusion; ms?: number },
  now: number,
): string {
  if (one.conclusion === undefined) return formatDuration(now - one.startedAt);
  return one.conclusion === "skipped" ? "skipped" : formatDuration(one.ms ?? 0);
}

const isRunning = ({ conclusion }: JobState) => conclusion === undefined;
const nameOf = ({ name }: StepState, style: Style) => safeLine(oneLine(name), style);
const oneLine = (text: string) => text.replace(/[\r\n\t]+/g, " ");
