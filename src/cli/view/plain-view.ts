import { formatDuration } from "./duration.ts";
import { parseLogLine, renderLogLine } from "./log-line.ts";
import { mark } from "./marks.ts";
import type { RunEvent, View } from "./run-event.ts";
import { runReport } from "./run-report.ts";
import { applyEvent, emptyRunState, jobKey, labelOf, stepOf } from "./run-state.ts";
import type { SpillingWriter } from "./spilling-writer.ts";
import type { Style } from "./style.ts";

export type Loudness = "quiet" | "normal" | "verbose";

/** Plain lines, `[job name] text`, for a log file or a pipe. Quiet shows the failures and the end only. */
export function plainView(
  out: SpillingWriter,
  notes: SpillingWriter,
  { style, loudness }: { style: Style; loudness: Loudness },
): View {
  const state = emptyRunState();
  const inGroup = new Set<string>();
  // A step that is skipped begins too; it has no line of its own for that.
  const begun = new Map<string, string>();

  return {
    show(event) {
      applyEvent(state, event);
      if (loudness !== "quiet") {
        for (const line of plainLines(event)) out.write(`${line}\n`);
      }
    },
    note: (line) => notes.write(`${line}\n`),
    async [Symbol.asyncDispose]() {
      const report = runReport(state, style, { withLogs: loudness === "quiet" });
      if (report.length > 0) out.write(`${report.join("\n")}\n`);
      await out[Symbol.asyncDispose]();
      await notes[Symbol.asyncDispose]();
    },
  };

  function plainLines(event: RunEvent): string[] {
    if (event.type === "step_started") {
      begun.set(jobKey(event), `${tag(event)} ${style.bold(`▶ ${oneLine(event.stepName)}`)}`);
      return [];
    }
    const line = plainLine(event);
    if (line === undefined || !("name" in event)) return line === undefined ? [] : [line];
    const beginning = begun.get(jobKey(event));
    begun.delete(jobKey(event));
    const isSkipped = event.type === "step_finished" && event.conclusion === "skipped";
    return beginning === undefined || isSkipped ? [line] : [beginning, line];
  }

  function plainLine(event: RunEvent): string | undefined {
    switch (event.type) {
      case "job_started":
        // A job that failed before it was placed ran nowhere.
        if (event.host === "") return undefined;
        return `${tag(event)} ${style.gray(`on ${event.host}, image ${event.image}`)}`;
      case "step_finished": {
        const time = event.conclusion === "skipped" ? "skipped" : formatDuration(event.ms);
        const allowed = event.outcome === event.conclusion ? "" : `, ${event.outcome} allowed`;
        inGroup.delete(jobKey(event));
        return `${tag(event)} ${mark(event.conclusion, style)} ${oneLine(event.stepName)} (${time}${allowed})`;
      }
      case "job_finished": {
        const reason = event.reason === undefined ? "" : `: ${oneLine(event.reason)}`;
        return `${tag(event)} ${mark(event.conclusion, style)} ${event.conclusion}${reason}`;
      }
      case "log":
        return logLine(event);
      default:
        return undefined;
    }
  }

  function logLine(event: RunEvent & { type: "log" }): string | undefined {
    const line = parseLogLine(event.line);
    if (line.tag === "debug" && loudness !== "verbose") return undefined;
    const step = stepOf(state, event);
    const isQuietStep = step !== undefined && /^(Set up|Complete) job$/.test(step.name);
    if (isQuietStep && loudness !== "verbose" && line.tag !== "error" && line.tag !== "warning") {
      return undefined;
    }
    const wasInGroup = inGroup.has(jobKey(event));
    if (line.tag === "group") inGroup.add(jobKey(event));
    if (line.tag === "endgroup") inGroup.delete(jobKey(event));
    // Its header repeats the name that has just been printed.
    if (line.tag === "group" && line.text === step?.name) return undefined;
    const text = renderLogLine(line, style);
    const indent = wasInGroup && line.tag !== "group" ? "  " : "";
    return text === undefined ? undefined : `${tag(event)} ${indent}${text}`.trimEnd();
  }

  function tag(event: { run: string; name: string }): string {
    return style.dim(`[${oneLine(labelOf(state, event))}]`);
  }
}

const oneLine = (text: string) => text.replace(/[\r\n]+/g, " ");
