import { columnsOf } from "./columns.ts";
import { jobList } from "./job-list.ts";
import { parseLogLine, renderLogLine } from "./log-line.ts";
import type { Loudness } from "./plain-view.ts";
import type { RunEvent, View } from "./run-event.ts";
import { runReport } from "./run-report.ts";
import { applyEvent, emptyRunState, labelOf, type RunState } from "./run-state.ts";
import type { Style } from "./style.ts";

export type Terminal = {
  write(text: string): unknown;
  readonly columns?: number;
  readonly rows?: number;
};

const SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏";
const REDRAW_MS = 100;
const MAX_WAITING_LINES = 500;

/**
 * A list of jobs and their steps that moves with the run, and at the end the failed steps' logs and the summary. With
 * `verbose` the log scrolls by above the list.
 */
export function liveView(
  terminal: Terminal,
  { style, loudness, now = Date.now }: { style: Style; loudness: Loudness; now?: () => number },
): View {
  const state = emptyRunState();
  const canvas = createCanvas(terminal);
  let above: string[] = [];
  let frame = 0;

  const draw = () => {
    const list =
      loudness === "quiet"
        ? []
        : jobList(state, {
            style,
            spinner: style.blue(SPINNER[frame++ % SPINNER.length] ?? ""),
            now: now(),
            // A line that fills the last column makes some terminals begin another one.
            width: Math.max(20, (terminal.columns ?? 80) - 1),
            height: Math.max(3, (terminal.rows ?? 24) - 2),
          });
    canvas.draw(above, list);
    above = [];
  };
  const timer = setInterval(draw, REDRAW_MS);
  timer.unref();

  return {
    show(event) {
      applyEvent(state, event);
      const line = loudness === "verbose" ? scrolled(event, state, style) : undefined;
      if (line !== undefined) above.push(line);
      if (above.length > MAX_WAITING_LINES) draw();
    },
    note(line) {
      above.push(line);
      draw();
    },
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      // The list has done its work: the report tells how everything ended.
      const report = runReport(state, style, { withLogs: loudness !== "verbose" });
      canvas.draw([...above, ...report], []);
    },
  };
}

/** Lines that stay, and below them a list that each drawing replaces. */
function createCanvas(terminal: Terminal) {
  let drawn: readonly string[] = [];
  return {
    draw(above: readonly string[], list: readonly string[]) {
      if (above.length === 0 && list.length === 0 && drawn.length === 0) return;
      const columns = Math.max(1, terminal.columns ?? 80);
      // A terminal that was made narrower since has broken the lines of the list into more.
      const up = drawn.reduce((sum, line) => sum + rowsOf(line, columns), 0);
      const lines = [...above, ...list].map((line) => `${line}${eraseRest(line, columns)}\n`);
      // One write, its lines over those that stood there: cleared first, the list would flicker.
      const begin = `${BEGIN_FRAME}${up > 0 ? `\u001b[${up}A` : ""}\r`;
      terminal.write(`${begin}${lines.join("")}\u001b[J${END_FRAME}`);
      drawn = list;
    },
  };
}

/** Terminals that know these show everything in between at once; the others ignore them. */
const BEGIN_FRAME = "\u001b[?2026h";
const END_FRAME = "\u001b[?2026l";

const rowsOf = (line: string, columns: number) => Math.max(1, Math.ceil(columnsOf(line) / columns));

/** After a full row the cursor still stands on its last character, which must stay. */
function eraseRest(line: string, columns: number): string {
  const width = columnsOf(line);
  return width > 0 && width % columns === 0 ? "" : "\u001b[K";
}

function scrolled(event: RunEvent, state: RunState, style: Style): string | undefined {
  if (event.type !== "log") return undefined;
  const text = renderLogLine(parseLogLine(event.line), style);
  return text === undefined ? undefined : `${style.dim(`[${labelOf(state, event)}]`)} ${text}`;
}
