import type { CheckRunState } from "../../github/installation.ts";
import { formatSize } from "../../profiles/size.ts";
import { cutBytes, cutText, fencedBlock, oneLine, plainInline } from "./check-markdown.ts";
import type { CheckSubject } from "./check-subject.ts";
import { checkTitle, deathOf, durationText } from "./check-title.ts";
import type { StepView } from "./job-view.ts";
import { stepTable } from "./step-table.ts";

/** What GitHub takes of a summary, and of a text. */
const MAX_BYTES = 65_535;
/** For the line that says what was left out. */
const NOTE_BYTES = 200;
const MAX_OUTPUTS = 30;
const MAX_VALUE_CHARACTERS = 200;
const MAX_SENTENCE_CHARACTERS = 2_000;

/** The button beside a check of a job that is open. */
export const CANCEL_ACTION = {
  label: "Cancel",
  description: "Stop this job and remove its container",
  identifier: "cancel",
} as const;

/** All that a job's check run shows. Where it does not all fit, what matters least is left out, and a line says so. */
export function renderCheck(subject: CheckSubject): CheckRunState {
  const { ending, waiting, startedAtMs, view } = subject;
  const hasStarted = startedAtMs !== undefined && !isWaiting(subject);
  const text = stepSummaries(view.steps);
  return {
    ...(ending === undefined
      ? { status: waiting === undefined ? "in_progress" : "queued" }
      : { status: "completed", conclusion: ending.conclusion, completedAtMs: ending.atMs }),
    title: checkTitle(subject),
    summary: summaryOf(subject),
    ...(text !== "" && { text }),
    ...(hasStarted && { startedAtMs }),
    actions: ending === undefined ? [CANCEL_ACTION] : [],
  };
}

/** What an earlier try of it did is of no interest then. */
function isWaiting({ ending, waiting }: CheckSubject): boolean {
  return ending === undefined && waiting !== undefined;
}

type Section = {
  /** In the line that says what was left out. */
  readonly name: string;
  readonly markdown: string;
  /** What has the least goes first. */
  readonly importance: number;
};

function summaryOf(subject: CheckSubject): string {
  const sections: Section[] = [
    { name: "the reason", markdown: sentences(subject), importance: 9 },
    { name: "how to get in", markdown: wayIn(subject), importance: 8 },
    { name: "where it runs", markdown: placeLine(subject), importance: 7 },
    {
      name: "the steps",
      markdown: isWaiting(subject) ? "" : stepTable(subject.view.steps),
      importance: 6,
    },
    { name: "the outputs", markdown: outputs(subject), importance: 2 },
    { name: "what it used", markdown: usageLine(subject), importance: 5 },
    { name: "the end of the log", markdown: logTail(subject), importance: 3 },
  ];
  const shown = sections.filter(({ markdown }) => markdown !== "");
  return leaveOut(shown) || (subject.ending ? "The job did not run." : "Nothing to tell yet.");
}

/** Leaves out the least important sections until the others fit. */
function leaveOut(sections: readonly Section[]): string {
  const kept = [...sections];
  const dropped: Section[] = [];
  while (Buffer.byteLength(join(kept)) > MAX_BYTES - NOTE_BYTES && kept.length > 0) {
    const least = kept.reduce((a, b) => (b.importance < a.importance ? b : a));
    kept.splice(kept.indexOf(least), 1);
    dropped.push(least);
  }
  if (dropped.length === 0) return join(kept);
  const names = dropped.map(({ name }) => name).join(", ");
  return `${join(kept)}\n\nLeft out, since a check run has no room for more: ${names}.`;
}

function join(sections: readonly Section[]): string {
  return sections.map(({ markdown }) => markdown).join("\n\n");
}

function sentences({ ending, waiting, interruption, view }: CheckSubject): string {
  if (ending === undefined) {
    if (waiting !== undefined) return waiting && `Waits: ${sentence(waiting)}`;
    return interruption === undefined ? "" : `**${sentence(interruption)}**`;
  }
  const death = deathOf(ending, view);
  const { reason, remedy = death?.remedy } = ending;
  return [
    reason && `**${sentence(reason)}**`,
    death?.isHosts && "This is no failure of the job's steps: what the job ran on failed it.",
    remedy && `What to do: ${sentence(remedy)}`,
  ]
    .filter(Boolean)
    .join("\n\n");
}

function wayIn({ ending }: CheckSubject): string {
  if (ending?.kept === undefined) return "";
  const { sentences: said, commands } = ending.kept;
  return `${plainInline(said, MAX_SENTENCE_CHARACTERS)}\n\n${fencedBlock(commands.join("\n"))}`;
}

function sentence(text: string): string {
  return plainInline(text, MAX_SENTENCE_CHARACTERS);
}

function placeLine(subject: CheckSubject): string {
  const { view, labels, profile } = subject;
  // One that never was ready to run has none.
  const asked = labels.length > 0 && `Labels: ${labels.map(code).join(", ")}`;
  const where =
    view.host && !isWaiting(subject)
      ? [`Host: ${code(view.host)}`, view.image && `Image: ${code(view.image)}`]
      : [];
  return [...where, asked, profile && `Profile: ${code(profile)}`].filter(Boolean).join(" · ");
}

/** As code in a line; no line end or backtick gets in. */
function code(text: string): string {
  return `\`${cutText(oneLine(text).replaceAll("`", "'"), MAX_VALUE_CHARACTERS)}\``;
}

function outputs({ view, ending }: CheckSubject): string {
  const all = Object.entries(ending?.outputs ?? view.ended?.outputs ?? {});
  if (all.length === 0) return "";
  const rows = all
    .slice(0, MAX_OUTPUTS)
    .map(
      ([name, value]) =>
        `| ${plainInline(name, MAX_VALUE_CHARACTERS)} | ${plainInline(value, MAX_VALUE_CHARACTERS)} |`,
    );
  const more = all.length > MAX_OUTPUTS ? [`| … | ${all.length - MAX_OUTPUTS} more |`] : [];
  return ["| Output | Value |", "| --- | --- |", ...rows, ...more].join("\n");
}

function usageLine({ ending, view }: CheckSubject): string {
  const { peakMemoryBytes, cpuSeconds } = ending?.usage ?? view.ended?.usage ?? {};
  return [
    peakMemoryBytes !== undefined && `Peak memory: ${formatSize(peakMemoryBytes)}`,
    cpuSeconds !== undefined && `CPU time: ${durationText(cpuSeconds * 1000)}`,
  ]
    .filter(Boolean)
    .join(" · ");
}

function logTail(subject: CheckSubject): string {
  const { view, ending } = subject;
  const lines = view.log.lines();
  if (lines.length === 0 || isWaiting(subject)) return "";
  const block = fencedBlock(lines.join("\n"));
  const title = view.failed === undefined ? "End of the log" : "End of the failed step's log";
  const isOpen = ending?.conclusion === "failure" ? " open" : "";
  return `<details${isOpen}><summary>${title}</summary>\n\n${block}\n\n</details>`;
}

/** Theirs is Markdown by design and may leave a block open, so they stand in a text of their own, behind all of ours. */
function stepSummaries(steps: readonly StepView[]): string {
  let text = "";
  let missing = 0;
  for (const { name, summary } of steps) {
    if (summary === undefined || summary.trim() === "") continue;
    const section = `${text === "" ? "" : "\n\n"}### ${plainInline(name, MAX_VALUE_CHARACTERS)}\n\n`;
    const room = MAX_BYTES - NOTE_BYTES - Buffer.byteLength(text + section);
    const shown = room > 0 ? cutBytes(summary, room) : "";
    if (shown.length < summary.length) missing += 1;
    if (shown !== "") text += section + shown;
  }
  if (missing === 0) return text;
  // In front, where no block is open.
  return `_Not all of the step summaries fits: ${missing} cut short or left out._\n\n${text}`;
}
