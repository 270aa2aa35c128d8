import type { HubCheckRun, LocalHub } from "../../localhub/local-hub.ts";
import { alignedTable } from "../view/aligned-table.ts";
import { formatDuration } from "../view/duration.ts";
import { plainMarkdown } from "../view/plain-markdown.ts";
import { type Style, safeLine } from "../view/style.ts";
import type { DemoJob } from "./watch-demo.ts";

type HubFacts = Pick<LocalHub, "checkRuns" | "jobs" | "deliveries">;

/** What GitHub holds of a commit in the end: the checks, with what they say, and its own jobs. */
export function demoReport(hub: HubFacts, jobs: readonly DemoJob[], style: Style): string {
  const checks = hub.checkRuns().filter(({ owner }) => owner === "app");
  const annotations = checks.flatMap(annotationLines);
  const taken = hub.deliveries().filter(({ statusCode }) => statusCode === 202).length;
  const rows = hub
    .jobs()
    .map((job) => [
      `${sign(job.conclusion, style)} ${job.name}`,
      job.conclusion ?? job.status,
      fateOf(job, jobs),
    ]);
  return [
    section("The checks that Berth made, as GitHub shows them", style),
    alignedTable(checks.map((check) => checkRow(check, jobs, style))),
    ...(annotations.length === 0 ? [] : [section("Their annotations", style), ...annotations]),
    ...checks.map((check) => summaryOf(check, style)),
    section("GitHub's own jobs", style),
    alignedTable(rows),
    `\nGitHub sent ${hub.deliveries().length} signed events; Berth took ${taken} of them.\n`,
  ].join("");
}

/** Whether each check ended well. */
export function hasSucceeded(hub: HubFacts): boolean {
  const checks = hub.checkRuns().filter(({ owner }) => owner === "app");
  return checks.length > 0 && checks.every(({ conclusion }) => conclusion === "success");
}

function section(text: string, style: Style): string {
  return `\n${style.bold(text)}\n`;
}

function checkRow(
  { name, status, conclusion, externalId, title }: HubCheckRun,
  jobs: readonly DemoJob[],
  style: Style,
): string[] {
  const { startedAtMs, completedAtMs } = jobs.find(({ id }) => id === externalId) ?? {};
  const hasTimes = startedAtMs !== undefined && completedAtMs !== undefined;
  const time = hasTimes ? formatDuration(completedAtMs - startedAtMs) : "";
  const what = conclusion ?? status;
  return [
    `${sign(conclusion, style)} ${name}`,
    what,
    time,
    what === "success" ? "" : (title ?? ""),
  ];
}

function annotationLines({ annotations }: HubCheckRun): string[] {
  return annotations.map(({ path, start_line: line, annotation_level: level, title, message }) => {
    const subject = title ? `${title}: ` : "";
    return `${path}:${line} ${level}: ${subject}${message}\n`;
  });
}

/** What its steps wrote for people to read. */
function summaryOf({ name, text }: HubCheckRun, style: Style): string {
  if (text === null) return "";
  const lines = plainMarkdown(text, style)
    .filter((line) => line.trim() !== "")
    .map((line) => `  ${safeLine(line, style)}\n`);
  return [section(`${name}, its summary`, style), ...lines].join("");
}

/** Why GitHub's job ended as it did. */
function fateOf(job: ReturnType<HubFacts["jobs"]>[number], jobs: readonly DemoJob[]): string {
  const ours = jobs.find(
    ({ runId, name }) => runId.startsWith(`${job.runId}-`) && name === job.name,
  );
  if (ours === undefined) return "not Berth's; the demo plays its runner";
  return job.conclusion === "cancelled" ? "by Berth, when its own had ended" : "";
}

function sign(conclusion: string | null, style: Style): string {
  switch (conclusion) {
    case "success":
      return style.green("✓");
    case "failure":
      return style.red("✗");
    case "cancelled":
      return style.yellow("■");
    default:
      return style.gray("-");
  }
}
