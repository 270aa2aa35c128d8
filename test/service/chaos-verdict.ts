import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { jobFolder } from "../../src/store/job-folder.ts";
import { openJobJournal } from "../../src/store/job-journal.ts";
import { openStore } from "../../src/store/open-store.ts";
import type { JobRecord } from "../../src/store/records.ts";
import type { PushedRun } from "./chaos-blows.ts";
import type { ChaosJob } from "./chaos-runs.ts";
import type { TestService } from "./service-on-localhub.ts";

/** Sentences: all that is not as it must be once a service has ended that did these runs. */
export async function chaosVerdict(
  service: TestService,
  runs: readonly PushedRun[],
  effectsFolder: string,
): Promise<string[]> {
  const { hub } = service;
  const storeFolder = join(service.folder, "store");
  await using store = await openStore(storeFolder);
  const records = await store.jobs.list({ isOpen: false, limit: 10_000 });
  const githubRuns = hub.runs();
  const verdicts: string[] = [];

  for (const run of runs) {
    const githubRun = githubRuns.find(({ headSha }) => headSha === run.headSha);
    if (githubRun?.status !== "completed") verdicts.push(`${run.key}: GitHub's run is open`);
    const ofRun = records.filter(({ headSha }) => headSha === run.headSha);
    if (ofRun.length !== run.jobs.length) {
      verdicts.push(`${run.key}: the store has ${ofRun.map(({ id }) => id)}`);
    }
    for (const job of run.jobs) {
      const where = `${run.key} ${job.name}`;
      const record = ofRun.find(({ name }) => name === job.name);
      const wrong = [
        ...judgeRecord(job, record),
        ...judgeChecks(service, run, job, record),
        ...judgeEffects(job, record, effectsFolder),
        ...(await judgeJournal(record, storeFolder)),
      ];
      verdicts.push(...wrong.map((what) => `${where}: ${what}`));
    }
  }

  const left = {
    leases: (await store.leases.all()).map(({ jobId }) => jobId),
    "open runs": (await store.runs.open()).map(({ id }) => id),
    "unreported jobs": (await store.jobs.unreported()).map(({ id }) => id),
    "unhandled deliveries": (await store.deliveries.unhandled(100)).map(({ event }) => event),
    "in the engine": await service.leftovers(),
    "jobs that a runner took": hub.jobs().filter(({ runner }) => runner !== undefined),
  };
  for (const [what, some] of Object.entries(left)) {
    if (some.length > 0) verdicts.push(`${what}: ${JSON.stringify(some)}`);
  }
  return verdicts;
}

function judgeRecord(job: ChaosJob, record: JobRecord | undefined): string[] {
  if (record === undefined) return ["the store does not know it"];
  const { state, conclusion = "", retries, reason } = record;
  const mayBeRepeated = job.blow === "remove-container";
  return [
    ...(state === "completed" ? [] : [`it is ${state} in the store`]),
    ...(job.conclusions.includes(conclusion) ? [] : [`ended ${conclusion} (${reason})`]),
    ...(retries > (mayBeRepeated ? 1 : 0) ? [`ran again ${retries} times: ${reason}`] : []),
  ];
}

function judgeChecks(
  { hub }: TestService,
  run: PushedRun,
  job: ChaosJob,
  record: JobRecord | undefined,
): string[] {
  const checks = hub
    .checkRuns()
    .filter(({ owner, headSha }) => owner === "app" && headSha === run.headSha)
    .filter(({ name }) => name === `Berth / ${job.name}`);
  const told = checks.map(({ status, conclusion }) => conclusion ?? status);
  const before = Array.from({ length: record?.retries ?? 0 }, () => "neutral");
  const wanted = [...before, record?.conclusion];
  return JSON.stringify(told) === JSON.stringify(wanted)
    ? []
    : [`its checks say ${told}, the store ${wanted}`];
}

/** What really ran. */
function judgeEffects(
  { steps, effects, blow }: ChaosJob,
  record: JobRecord | undefined,
  folder: string,
): string[] {
  if (effects === undefined) return [];
  const file = join(folder, effects);
  const lines = existsSync(file) ? readFileSync(file, "utf8").trimEnd().split("\n") : [];
  const all = Array.from({ length: steps }, (_, i) => [`${i + 1} begin`, `${i + 1} end`]).flat();
  const repeats = blow === "remove-container" ? (record?.retries ?? 0) : 0;
  const isWhole = record?.conclusion === "success" || record?.conclusion === "failure";
  const last = lines.slice(repeats);
  const wanted = isWhole ? all : all.slice(0, last.length);
  return JSON.stringify(last) === JSON.stringify(wanted) ? [] : [`its steps ran so: ${lines}`];
}

async function judgeJournal(record: JobRecord | undefined, storeFolder: string): Promise<string[]> {
  if (record === undefined) return [];
  const execution = record.retries === 0 ? record.id : `${record.id}.retry${record.retries}`;
  const folder = jobFolder(storeFolder, execution);
  if (!existsSync(folder)) return [];
  await using journal = await openJobJournal(folder);
  if (!journal.isFinished) return ["its journal has no end"];
  for await (const event of journal.told()) {
    if (event.type === "job_finished" && event.conclusion !== record.conclusion) {
      return [`its journal says ${event.conclusion}, the store ${record.conclusion}`];
    }
  }
  return [];
}
