import { once } from "node:events";
import { userInfo } from "node:os";
import { Command } from "commander";
import { z } from "zod";
import { findService } from "./ask-service.ts";
import { sshIntoJob } from "./job-ssh.ts";
import { HistoryLine, jobReport, jobTable, ServiceJob } from "./view/job-table.ts";
import { parseLogLine, renderLogLine } from "./view/log-line.ts";
import { createStyle, wantsColour } from "./view/style.ts";

type Flags = { readonly config?: string; readonly json?: true };

const Jobs = z.object({ jobs: z.array(ServiceJob) });
const Job = z.object({ job: ServiceJob, history: z.array(HistoryLine) });
const Why = z.object({ id: z.string(), why: z.array(z.string()) });
const Cancelled = z.object({ id: z.string(), isCancelled: z.boolean() });

/** `berth jobs ls|show|why|logs|ssh|cancel`: asks the service that runs on this machine. */
export function jobsCommand(signal: AbortSignal): Command {
  const command = new Command("jobs")
    .description("The service's jobs: what runs, what waits and why, their logs.")
    .addHelpText("after", "\nExample:\n  berth jobs ls");
  const add = (name: string, description: string, example: string) =>
    command
      .command(name)
      .description(description)
      .option("-c, --config <file>", "the service's configuration; else as berth validate finds it")
      .addHelpText("after", `\nExample:\n  berth jobs ${example}`);

  add("ls", "List the jobs that wait or run, newest first.", "ls --all")
    .option("--all", "those that have ended, too")
    .option("-n, --limit <n>", "at most so many", "100")
    .option("--json", "print one JSON object")
    .action((flags: Flags & { all?: true; limit: string }) => list(flags, signal));
  add("show", "Tell all about one job.", "show 4711-1.build")
    .argument("<id>", ID)
    .option("--json", "print one JSON object")
    .action((id: string, flags: Flags) => show(id, flags, signal));
  add("why", "Say why a job waits, runs or ended as it did.", "why 4711-1.build")
    .argument("<id>", ID)
    .option("--json", "print one JSON object")
    .action((id: string, flags: Flags) => why(id, flags, signal));
  add("logs", "Print a job's log.", "logs -f 4711-1.build")
    .argument("<id>", ID)
    .option("-f, --follow", "go on until the job ends")
    .action((id: string, flags: Flags & { follow?: true }) => logs(id, flags, signal));
  add("ssh", "Open a shell in a job's container, or run a command there.", "ssh 4711-1.build")
    .argument("<id>", ID)
    .argument("[command...]", "after --: run this, and no shell")
    .action(async (id: string, command: readonly string[], { config }: Flags) => {
      process.exitCode = await sshIntoJob(id, command, { config, signal });
    });
  add("cancel", "Stop a job and remove its container.", "cancel 4711-1.build")
    .argument("<id>", ID)
    .option("--json", "print one JSON object")
    .action((id: string, flags: Flags) => cancel(id, flags, signal));
  return command;
}

const ID = "the job's id; its beginning is enough where that is unique";

async function list(
  { config, json, all, limit }: Flags & { all?: true; limit: string },
  signal: AbortSignal,
): Promise<void> {
  const query = new URLSearchParams({ open: all ? "0" : "1", limit });
  const answer = await findService(config, signal).ask("GET", `/api/jobs?${query}`, Jobs);
  if (json) print(asJson(answer));
  else if (answer.jobs.length > 0) print(jobTable(answer.jobs, Date.now()));
  else
    print(all ? "There are no jobs.\n" : "No job waits or runs. --all lists those that ended.\n");
}

async function show(id: string, { config, json }: Flags, signal: AbortSignal): Promise<void> {
  const answer = await findService(config, signal).ask("GET", pathOf(id), Job);
  print(json ? asJson(answer) : jobReport(answer.job, answer.history, Date.now()));
}

async function why(id: string, { config, json }: Flags, signal: AbortSignal): Promise<void> {
  const answer = await findService(config, signal).ask("GET", `${pathOf(id)}/why`, Why);
  print(json ? asJson(answer) : answer.why.map((sentence) => `${sentence}\n`).join(""));
}

async function logs(
  id: string,
  { config, follow }: Flags & { follow?: true },
  signal: AbortSignal,
): Promise<void> {
  const { stdout, env } = process;
  const style = createStyle(wantsColour(env, stdout));
  const path = `${pathOf(id)}/log${follow ? "?follow=1" : ""}`;
  for await (const line of findService(config, signal).lines(path)) {
    const shown = renderLogLine(parseLogLine(line), style);
    // No faster than it is read: a log can be larger than memory.
    if (shown !== undefined && !stdout.write(`${shown}\n`)) await once(stdout, "drain", { signal });
  }
}

async function cancel(id: string, { config, json }: Flags, signal: AbortSignal): Promise<void> {
  const by = { by: userInfo().username };
  const service = findService(config, signal);
  const answer = await service.ask("POST", `${pathOf(id)}/cancel`, Cancelled, by);
  const said = answer.isCancelled ? "is being cancelled" : "has ended already";
  print(json ? asJson(answer) : `${answer.id} ${said}.\n`);
}

function pathOf(id: string): string {
  return `/api/jobs/${encodeURIComponent(id)}`;
}

function print(text: string): void {
  process.stdout.write(text);
}

function asJson(value: object): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
