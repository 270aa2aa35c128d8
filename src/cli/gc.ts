import { Command } from "commander";
import { connectEngine, type Engine } from "../containers/connect-engine.ts";
import { collectGarbage, isOfService, ownerLives } from "../containers/gc.ts";
import { JOB_LABEL, type Labels, RUN_LABEL, SERVED_LABEL } from "../containers/labels.ts";
import { removeDeadHelpers } from "../containers/remove-dead-helpers.ts";
import { trimActions } from "../containers/trim-actions.ts";
import { thisMachine } from "./this-machine.ts";

type GcFlags = {
  readonly docker?: string;
  readonly dryRun?: true;
  readonly service?: true;
  readonly json?: true;
};

/** `berth gc`: removes what killed processes left of their jobs. */
export function gcCommand(_signal: AbortSignal): Command {
  return new Command("gc")
    .description("Remove what a killed Berth left in the engine; what a living one uses stays.")
    .argument("[run]", "only of that run; what --keep left of it goes too")
    .option("--dry-run", "say what would be removed")
    .option("--service", "also what a service left that does not run any more")
    .option("--json", "print one JSON object")
    .option("--docker <endpoint>", "the engine to use, as in DOCKER_HOST")
    .addHelpText(
      "after",
      "\nWhat a stopped `berth serve` left stays for it to come back to, unless --service or RUN says otherwise.\n\nExample:\n  berth gc --dry-run",
    )
    .action(async (run: string | undefined, flags: GcFlags) => {
      const { docker } = await connectEngine(thisMachine(flags));
      const spared = spareServices(run === undefined && flags.service === undefined);
      if (flags.dryRun) tellGarbage(await findGarbage(docker, { run, spared }), flags);
      else {
        const garbage = await collectGarbage(docker, { run, isAlive: spared.isAlive });
        const isAll = run === undefined;
        const helpers = isAll ? await removeDeadHelpers(docker) : [];
        const actions = isAll ? await trimActions(docker) : [];
        tellRemoved({ ...garbage, helpers, actions }, flags);
      }
      for (const line of spared.lines()) process.stderr.write(`${line}\n`);
    });
}

type Spared = { isAlive(labels: Labels): boolean; lines(): string[] };

/** Counts what is left to services that do not run now: they come back to it. */
function spareServices(spares: boolean): Spared {
  const byService = new Map<string, number>();
  return {
    isAlive(labels) {
      if (ownerLives(labels)) return true;
      if (!spares || !isOfService(labels)) return false;
      const service = labels[SERVED_LABEL] ?? "";
      byService.set(service, (byService.get(service) ?? 0) + 1);
      return true;
    },
    lines: () =>
      [...byService].map(([service, count]) => {
        const objects = count === 1 ? "1 object" : `${count} objects`;
        return `${objects} of the service ${service} left alone: it comes back to its jobs. berth gc --service removes what is left of them.`;
      }),
  };
}

type LeftJob = { readonly job: string; readonly run: string };

/** The jobs whose owners are dead. Nothing is removed as long as every owner is said to live. */
async function findGarbage(
  docker: Engine["docker"],
  { run, spared }: { readonly run: string | undefined; readonly spared: Spared },
): Promise<LeftJob[]> {
  const found = new Map<string, LeftJob>();
  const living = new Set<string>();
  const isAlive = (labels: Labels) => {
    const job = labels[JOB_LABEL] ?? "";
    if (spared.isAlive(labels)) living.add(job);
    else found.set(job, { job, run: labels[RUN_LABEL] ?? "" });
    return true;
  };
  await collectGarbage(docker, { run, isAlive });
  return [...found.values()].filter(({ job }) => !living.has(job));
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
    helpers,
    actions,
  }: Awaited<ReturnType<typeof collectGarbage>> & {
    readonly helpers: readonly string[];
    readonly actions: readonly string[];
  },
  { json }: GcFlags,
): void {
  const left = leaks.map(({ kind, id, cause }) => ({ kind, id, why: String(cause) }));
  const text = removed.map(
    ({ kind, id, job }) => `removed ${kind} ${id.slice(0, 12)} of job ${job}\n`,
  );
  text.push(
    ...helpers.map((id) => `removed container ${id.slice(0, 12)}, which was filling a volume\n`),
  );
  text.push(...actions.map((name) => `removed volume ${name} with an old action\n`));
  const people = text.length === 0 ? "Nothing to remove.\n" : text.join("");
  process.stdout.write(json ? `${JSON.stringify({ removed, helpers, actions, left })}\n` : people);
  for (const { kind, id, why } of left) {
    process.stderr.write(`could not remove ${kind} ${id}: ${why}\n`);
  }
  if (left.length > 0) process.exitCode = 1;
}
