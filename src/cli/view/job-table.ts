import { stripVTControlCharacters } from "node:util";
import { z } from "zod";
import { alignedTable } from "./aligned-table.ts";
import { cutColumns } from "./columns.ts";
import { formatDuration } from "./duration.ts";

/** A job as the service tells of it. */
export const ServiceJob = z.looseObject({
  id: z.string(),
  name: z.string(),
  repository: z.string(),
  labels: z.array(z.string()),
  headSha: z.string(),
  state: z.enum(["queued", "running", "completed"]),
  reason: z.string().optional(),
  conclusion: z.string().optional(),
  host: z.string().optional(),
  profile: z.string().optional(),
  kept: z.object({ untilMs: z.number() }).optional(),
  retries: z.number(),
  outputs: z.record(z.string(), z.string()).optional(),
  createdAtMs: z.number(),
  startedAtMs: z.number().optional(),
  completedAtMs: z.number().optional(),
});
export type ServiceJob = z.infer<typeof ServiceJob>;

export const HistoryLine = z.object({ atMs: z.number(), message: z.string() });
export type HistoryLine = z.infer<typeof HistoryLine>;

const MAX_REASON_COLUMNS = 80;

/** A line for each job. */
export function jobTable(jobs: readonly ServiceJob[], nowMs: number): string {
  const rows = jobs.map((job) => [
    job.id,
    stateOf(job),
    clean(job.name),
    job.repository,
    job.host ?? "",
    timeOf(job, nowMs),
    cutColumns(clean(whyOf(job)), MAX_REASON_COLUMNS),
  ]);
  return alignedTable([["ID", "STATE", "JOB", "REPOSITORY", "HOST", "TIME", "WHY"], ...rows]);
}

/** All that is known of one job. */
export function jobReport(job: ServiceJob, history: readonly HistoryLine[], nowMs: number): string {
  const facts: [string, string | undefined][] = [
    ["job", `${clean(job.name)} of ${job.repository}`],
    ["id", job.id],
    ["commit", job.headSha],
    ["state", `${stateOf(job)}, ${timeOf(job, nowMs)}`],
    ["why", clean(whyOf(job))],
    ["labels", job.labels.map(clean).join(", ")],
    ["profile", job.profile],
    ["host", job.host],
    ["run again", job.retries === 0 ? undefined : `${job.retries} times, its host had failed it`],
    ...Object.entries(job.outputs ?? {}).map(
      ([name, value]) => [`output ${name}`, clean(value)] as [string, string],
    ),
  ];
  const rows = facts.flatMap(([name, value]) => (value ? [[name, value]] : []));
  const lines = history.map(({ atMs, message }) => [new Date(atMs).toISOString(), clean(message)]);
  return [alignedTable(rows), ...(lines.length === 0 ? [] : [alignedTable(lines)])].join("\n");
}

function stateOf({ state, conclusion }: ServiceJob): string {
  return conclusion ?? state;
}

function whyOf({ reason, kept }: ServiceJob): string {
  if (kept === undefined) return reason ?? "";
  const until = new Date(kept.untilMs).toISOString().slice(11, 16);
  return [`kept until ${until} UTC for a look`, ...(reason ? [reason] : [])].join("; ");
}

/** How long it waits, runs or ran. */
function timeOf({ createdAtMs, startedAtMs, completedAtMs }: ServiceJob, nowMs: number): string {
  return formatDuration((completedAtMs ?? nowMs) - (startedAtMs ?? createdAtMs));
}

function clean(text: string): string {
  return stripVTControlCharacters(text.replace(/\s+/g, " ")).replace(
    /[\u0000-\u001f\u007f-\u009f]/g,
    "",
  );
}
