import { cutText, oneLine } from "./check-markdown.ts";
import type { CheckSubject, JobEnding } from "./check-subject.ts";
import { DEATH_WORDS } from "./death-words.ts";
import { currentStep, failedStep, type JobView, type StepView } from "./job-view.ts";

const MAX_TITLE_CHARACTERS = 200;

/** A check's one line: what the job waits for, does, or how it ended. */
export function checkTitle(subject: CheckSubject): string {
  return cutText(oneLine(titleOf(subject)), MAX_TITLE_CHARACTERS);
}

function titleOf({ ending, waiting, interruption, view, stepCount }: CheckSubject): string {
  if (ending?.kept !== undefined) return `${endTitle(ending, view)}; ${ending.kept.phrase}`;
  if (ending !== undefined) return endTitle(ending, view);
  if (waiting !== undefined) return waiting === "" ? "Waits for a place" : `Waits: ${waiting}`;
  const where = view.host ? `Running on ${view.host}` : "Running";
  if (interruption !== undefined) return `${where}: ${interruption}`;
  const step = currentStep(view);
  return step === undefined ? where : `${where}: ${stepTitle(step, stepCount)}`;
}

function stepTitle({ number, name }: StepView, stepCount: number | undefined): string {
  // Set-up and clean-up come on top; how many of them there will be is not known before.
  const all = stepCount === undefined ? undefined : Math.max(number, stepCount + 2);
  return `step ${number}${all === undefined ? "" : ` of ${all}`}, ${name}`;
}

function endTitle(ending: JobEnding, view: JobView): string {
  const { conclusion, reason } = ending;
  const because = reason === undefined ? "" : `: ${reason}`;
  switch (conclusion) {
    case "success":
      return view.ended === undefined
        ? `Succeeded${because}`
        : `Succeeded in ${durationText(view.ended.ms)}`;
    case "failure":
      return deathTitle(ending, view) ?? reason ?? failureTitle(view);
    case "cancelled":
      return deathTitle(ending, view) ?? reason ?? "Cancelled";
    case "skipped":
      return `Skipped${because}`;
    case "timed_out":
      return `Timed out${because}`;
    case "action_required":
      return reason ?? "Somebody has to act";
    case "neutral":
      return reason ?? "Not run by Berth";
    default:
      return conclusion satisfies never;
  }
}

function deathTitle(ending: JobEnding, view: JobView): string | undefined {
  const words = deathOf(ending, view);
  if (words === undefined) return undefined;
  return ending.reason === undefined ? words.title : `${words.title}: ${ending.reason}`;
}

/** What is said of a job that neither its steps nor a person ended. */
export function deathOf({ death }: JobEnding, { ended }: JobView) {
  const cause = death ?? ended?.death;
  return Object.entries(DEATH_WORDS).find(([name]) => name === cause)?.[1];
}

function failureTitle(view: JobView): string {
  const step = failedStep(view);
  if (step === undefined) return "Failed";
  const error = view.annotations.findLast(
    (one) => one.step === step.number && one.level === "error",
  );
  const code = /^Process completed with (exit code \d+)\.$/.exec(error?.message ?? "")?.[1];
  const [line = ""] = (error?.message ?? "").split("\n");
  const why = code ?? line;
  return `Failed in step ${step.name}${why === "" ? "" : `: ${why}`}`;
}

/** `0.3 s`, `12 s`, `2 m 3 s`, `2 h 5 m`. */
export function durationText(ms: number): string {
  if (ms < 9_950) return `${(Math.max(0, ms) / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} m ${seconds % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} m`;
}
