import type { Conclusion } from "../../../runner/job/job-description.ts";
import { plainInline } from "./check-markdown.ts";
import { durationText } from "./check-title.ts";
import type { StepView } from "./job-view.ts";

const MAX_ROWS = 80;
const MAX_NAME_CHARACTERS = 100;

const MARKS: { readonly [conclusion in Conclusion]: string } = {
  success: "✓",
  failure: "✗",
  cancelled: "✗",
  skipped: "–",
};

/** The steps of a job as a Markdown table; of very many those that failed and the last ones. */
export function stepTable(steps: readonly StepView[]): string {
  if (steps.length === 0) return "";
  const sorted = steps.toSorted((a, b) => a.number - b.number);
  const last = sorted.slice(-MAX_ROWS);
  const failed = sorted
    .slice(0, -MAX_ROWS)
    .filter(({ conclusion }) => conclusion === "failure")
    .slice(0, MAX_ROWS / 2);
  const shown = [...failed, ...last.slice(failed.length)];
  const missing = steps.length - shown.length;
  const more = missing > 0 ? [`| … | | ${missing} more steps | |`] : [];
  return ["| | # | Step | Time |", "| --- | ---: | --- | ---: |", ...more, ...shown.map(row)].join(
    "\n",
  );
}

function row({ number, name, conclusion, ms }: StepView): string {
  const mark = conclusion === undefined ? "●" : MARKS[conclusion];
  const time = ms === undefined || conclusion === "skipped" ? "" : durationText(ms);
  return `| ${mark} | ${number} | ${plainInline(name, MAX_NAME_CHARACTERS)} | ${time} |`;
}
