import { stripVTControlCharacters } from "node:util";
import { formatDuration } from "./duration.ts";
import { parseLogLine, renderLogLine } from "./log-line.ts";
import { mark } from "./marks.ts";
import type { Loudness } from "./plain-view.ts";
import type { RunEvent, View } from "./run-event.ts";
import { runReport } from "./run-report.ts";
import {
  applyEvent,
  emptyRunState,
  type JobState,
  type RunState,
  type StepState,
} from "./run-state.ts";
import type { Style } from "./style.ts";

export type Terminal = {
  write(text: string): unknown;
  readonly columns?: number;
  readonly rows?: number;
};

const SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏";
const REDRAW_MS = 100;

/**
 * A list of jobs and their steps that moves with the run, and at the end the failed steps' logs and the summary. With
 * `verbose` the log scrolls by above the list.
 */
export function liveView(
  terminal: Terminal,
  { style, loudness, now = Date.now }: { style: Style; loudness: Loudness; now?: () => number },
): View {
  const state = emptyRunState();
  let drawn = 0;
  let above: string[] = [];
  let frame = 0;

  const draw = () => {
    const width = Math.max(20, (terminal.columns ?? 80) - 1);
    const height = Math.max(3, (terminal.rows ?? 24) - 2);
    const spinner = style.blue(SPINNER[frame++ % SPINNER.length] ?? "");
    const list =
      loudness === "quiet"
        ? []
        : fitHeight(listLines(state, { style, spinner, now: now() }), height);
    const lines = list.map((line) => cut(line, width));
    const up = drawn > 0 ? `\u001b[${drawn}A\r` : "\r";
    terminal.write(`${up}\u001b[J${[...above, ...lines].map((line) => `${line}\n`).join("")}`);
    above = [];
    drawn = lines.length;
  };
  const timer = setInterval(draw, REDRAW_MS);
  timer.unref();

  return {
    show(event) {
      applyEvent(state, event);
      const line = loudness === "verbose" ? scrolled(event, style) : undefined;
      if (line !== undefined) above.push(line);
      if (above.length > 500) draw();
    },
    note(line) {
      above.push(line);
      draw();
    },
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      const report = runReport(state, style, { withLogs: loudness !== "verbose" });
      draw();
      // The list has done its work: the report tells how everything ended.
      if (drawn > 0) terminal.write(`\u001b[${drawn}A\r\u001b[J`);
      if (report.length > 0) terminal.write(`${report.join("\n")}\n`);
    },
  };
}

type Look = { readonly style: Style; readonly spinner: string; readonly now: number };

/** Each job with the steps that matter: all of a running or failed one, none of one that went well. */
export function listLines(state: RunState, look: Look): { text: string; isRunning: boolean }[] {
  return [...state.jobs.values()].flatMap((job) => {
    const isRunning = job.conclusion === undefined;
    const showsSteps = isRunning || job.conclusion === "failure";
    const steps = showsSteps ? job.steps.filter((step) => step.conclusion !== "skipped") : [];
    return [jobLine(job, look), ...steps.map((step) => stepLine(step, look))].map((text) => ({
      text,
      isRunning,
    }));
  });
}

function jobLine(job: JobState, { style, spinner, now }: Look): string {
  const name = style.bold(stripVTControlCharacters(job.name));
  if (job.conclusion === undefined) {
    return `${spinner} ${name} ${style.gray(formatDuration(now - job.startedAt))}`;
  }
  const time = job.conclusion === "skipped" ? "skipped" : formatDuration(job.ms ?? 0);
  return `${mark(job.conclusion, style)} ${name} ${style.gray(time)}`;
}

function stepLine(step: StepState, { style, spinner, now }: Look): string {
  const name = stripVTControlCharacters(step.name.replace(/[\r\n\t]+/g, " "));
  if (step.conclusion === undefined) {
    return `    ${spinner} ${name} ${style.gray(formatDuration(now - step.startedAt))}`;
  }
  return `    ${mark(step.conclusion, style)} ${name} ${style.gray(formatDuration(step.ms ?? 0))}`;
}

/** What is over gives way to what runs when the terminal is too low. */
function fitHeight(lines: { text: string; isRunning: boolean }[], height: number): string[] {
  if (lines.length <= height) return lines.map(({ text }) => text);
  const running = lines.filter(({ isRunning }) => isRunning);
  const room = Math.max(0, height - 1 - running.length);
  const over = lines.filter(({ isRunning }) => !isRunning).slice(-room || lines.length);
  const shown = [...(room > 0 ? over : []), ...running].slice(-(height - 1));
  return [`… ${lines.length - shown.length} more lines`, ...shown.map(({ text }) => text)];
}

function scrolled(event: RunEvent, style: Style): string | undefined {
  if (event.type !== "log") return undefined;
  const text = renderLogLine(parseLogLine(event.line), style);
  return text === undefined ? undefined : `${style.dim(`[${event.name}]`)} ${text}`;
}

const SEQUENCE = /(\u001b\[[\d;]*m)/;

/** Cuts to a number of columns; colours take none. */
function cut(line: string, width: number): string {
  if (stripVTControlCharacters(line).length <= width) return line;
  let left = width - 1;
  const parts = line.split(SEQUENCE).map((part) => {
    if (SEQUENCE.test(part)) return part;
    const kept = part.slice(0, Math.max(0, left));
    left -= part.length;
    return kept;
  });
  return `${parts.join("")}…`;
}
