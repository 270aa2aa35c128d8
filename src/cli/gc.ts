import { Command } from "commander";
import { connectEngine, type Engine } from "../containers/connect-engine.ts";
import { collectGarbage, ownerLives } from "../containers/gc.ts";
import { JOB_LABEL, type Labels, RUN_LABEL } from "../containers/labels.ts";
import { trimActions } from "../containers/trim-actions.ts";
import { thisMachine } from "./this-machine.ts";

type GcFlags = { readonly docker?: string; readonly dryRun?: true; readonly json?: true };

/** `berth gc`: removes what killed processes left of their jobs. */
export function gcCommand(_signal: AbortSignal): Command {
  return new Command("gc")
    .description("Remove what a killed Berth left in the engine; what a living one uses stays.")
    .argument("[run]", "only of that run; what --keep left of it goes too")
    .option("--dry-run", "say what would be removed")
    .option("--json", "print one JSON object")
    .option("--docker <endpoint>", "the engine to use, as in DOCKER_HOST")
    .addHelpText("after", "\nExample:\n  berth gc --dry-run")
    .action(async (run: string | undefined, flags: GcFlags) => {
      const { docker } = await connectEngine(thisMachine(flags));
      if (flags.dryRun) tellGarbage(await findGarbage(docker, run), flags);
      else {
        const garbage = await collectGarbage(docker, { run });
        const actions = run === undefined ? await trimActions(docker) : [];
        tellRemoved({ ...garbage, actions }, flags);
      }
    });
}

type LeftJob = { readonly job: string; readonly run: string };

/** The jobs whose owners are dead. Nothing is removed as long as every owner is said to live. */
async function findGarbage(docker: Engine["docker"], run: string | undefined): Promise<LeftJob[]> {
  const found = new Map<string, LeftJob>();
  const isAlive = (labels: Labels) => {
    const job = labels[JOB_LABEL] ?? "";
    if (!ownerLives(labels)) found.set(job, { job, run: labels[RUN_LABEL] ?? "" });
    return true;
  };
  await collectGarbage(docker, { run, isAlive });
  return [...found.values()];
}

function tellGarbage(jobs: readonly LeftJob[], { json }: GcFlags): void {
  const text = jobs.map(({ job, run }) => `would remove what is left of job ${job} (run ${run})\n`);
  const people = text.length === 0 ? "Nothing to remove.\n" : text.join("");
  process.stdout.write(json ? `${JSON.stringify({ wouldRemove: jobs })}\n` : people);
}

function tellRemoved(
  {
    removed,
    leaks,
    actions,
  }: Awaited<ReturnType<typeof collectGarbage>> & { readonly actions: readonly string[] },
  { json }: GcFlags,
): void {
  const left = leaks.map(({ kind, id, cause }) => ({ kind, id, why: String(cause) }));
  const text = removed.map(
    ({ kind, id, job }) => `removed ${kind} ${id.slice(0, 12)} of job ${job}\n`,
  );
  text.push(...actions.map((name) => `removed volume ${name} with an old action\n`));
  const people = text.length === 0 ? "Nothing to remove.\n" : text.join("");
  process.stdout.write(json ? `${JSON.stringify({ removed, actions, left })}\n` : people);
  for (const { kind, id, why } of left) {
    process.stderr.write(`could not remove ${kind} ${id}: ${why}\n`);
  }
  if (left.length > 0) process.exitCode = 1;
}
