import { z } from "zod";
import { explainLabels } from "../../profiles/explain-labels.ts";
import { padColumns } from "../view/columns.ts";
import { formatDuration } from "../view/duration.ts";
import { mark } from "../view/marks.ts";
import { type Style, safeLine } from "../view/style.ts";
import type { DemoNews } from "./watch-demo.ts";

/** Who, and what. */
type Line = readonly [string, string];

/** They say whose a job is; what it needs is in the others. */
const PLAIN_LABELS = new Set(["self-hosted", "linux", "berth"]);
/** What of GitHub's events starts something or ends it; the others follow from these. */
const TOLD = new Set([
  "push",
  "workflow_job queued",
  "workflow_job completed",
  "workflow_run completed",
]);
const NAME_COLUMNS = 18;

const Named = z.object({ name: z.string(), conclusion: z.string().nullish() }).optional();
const Payload = z.object({ workflow_job: Named, workflow_run: Named, ref: z.string().optional() });

/** Prints a line for all that happens, with the time since now. */
export function storyTeller(print: (text: string) => void, style: Style): (news: DemoNews) => void {
  const begin = performance.now();
  return (news) => {
    const line = lineOf(news, style);
    if (line === undefined) return;
    const [who, what] = line;
    const time = formatDuration(performance.now() - begin).padStart(5);
    print(`${style.dim(time)}  ${style.bold(padColumns(who, NAME_COLUMNS))}  ${what}\n`);
  };
}

function lineOf(news: DemoNews, style: Style): Line | undefined {
  switch (news.type) {
    case "delivered":
      return deliveryLine(news, style);
    case "ours": {
      const { name, labels } = news.job;
      const early = news.isQueued ? "" : ", and started by it: GitHub has not queued it";
      return [name, `labels ${labels.join(", ")}: Berth's${needs(labels)}${early}`];
    }
    case "hosted": {
      const { name, labels } = news.job;
      return [name, `labels ${labels.join(", ")}: not Berth's, a runner of GitHub's takes it`];
    }
    case "waits":
      return [news.job.name, style.yellow(`waits: ${news.reason}`)];
    case "runs":
      return [news.job.name, `starts on the host ${news.job.host}`];
    case "step": {
      const { conclusion, stepName, ms } = news.step;
      if (stepName === "Complete job") return undefined;
      const time = conclusion === "skipped" ? "skipped" : formatDuration(ms);
      return [news.job.name, `  ${mark(conclusion, style)} ${safeLine(stepName, style)} (${time})`];
    }
    case "ended": {
      const { job, conclusion, reason } = news;
      const paint = conclusion === "success" ? style.green : style.red;
      return [job.name, paint(reason === undefined ? conclusion : `${conclusion}: ${reason}`)];
    }
    default:
      return news satisfies never;
  }
}

function deliveryLine(
  { delivery }: DemoNews & { type: "delivered" },
  style: Style,
): Line | undefined {
  const { event, action, body, statusCode } = delivery;
  if (!TOLD.has([event, action].filter(Boolean).join(" "))) return undefined;
  const { workflow_job: job, workflow_run: run, ref } = Payload.parse(JSON.parse(body));
  const { name = ref, conclusion } = job ?? run ?? {};
  const how = action === "completed" ? conclusion : action;
  const text = [event, how, name].filter(Boolean).join(" · ");
  const isTaken = statusCode === 202;
  return ["webhook", `${style.blue(text)}${isTaken ? "" : style.red(` → ${statusCode}`)}`];
}

function needs(labels: readonly string[]): string {
  const special = explainLabels(labels.filter((label) => !PLAIN_LABELS.has(label)));
  return special.map(({ meaning }) => `, with ${meaning}`).join("");
}
