import { z } from "zod";
import type { GitHubApp, GitHubRun, Installation } from "../github/installation.ts";
import type { Log } from "../log.ts";
import type { RunRecord } from "../store/records.ts";
import type { Store } from "../store/store.ts";
import type { ActiveRepository, Hearing } from "./open-hearing.ts";
import { isRefused } from "./poll-deliveries.ts";
import { readListedJob } from "./read-github-job.ts";
import { createRequestBudget } from "./request-budget.ts";

export type JobSweepDeps = {
  readonly app: Pick<GitHubApp, "installation" | "installations" | "repositories">;
  readonly store: Pick<Store, "runs" | "notes">;
  readonly hearing: Hearing;
  readonly log: Log;
  heartbeat(): void;
  now?(): number;
};

/** Asks GitHub for jobs of which no event came, and for what became of those that we know. */
export type JobSweep = {
  /** @throws {BerthError} `GITHUB_UNREACHABLE` */
  sweep(): Promise<void>;
};

const NOTE = "sweep.active";
const ACTIVE_MS = 24 * 60 * 60_000;
/** How often a repository is looked at of which nothing was heard for a day. */
const QUIET_EVERY_MS = 60 * 60_000;
const INSTALLATIONS_EVERY_MS = 10 * 60_000;
/** GitHub drops a job that was queued for so long; nobody has cancelled it then. */
const DROPPED_AFTER_MS = 24 * 60 * 60_000;

const Active = z.array(
  z.object({ repository: z.string(), installationId: z.number(), heardAtMs: z.number() }),
);

type Target = { readonly repository: string; readonly installation: Installation };

export function createJobSweep(deps: JobSweepDeps): JobSweep {
  const { app, store, hearing, log, heartbeat, now = Date.now } = deps;
  const budget = createRequestBudget(now);
  /** When a repository, or a run of one, was asked for last. */
  const askedAtMs = new Map<string, number>();
  /** Runs of ours that GitHub has nothing more to say of. */
  const done = new Set<string>();
  let all: { readonly atMs: number; readonly repositories: readonly ActiveRepository[] } = {
    atMs: Number.NEGATIVE_INFINITY,
    repositories: [],
  };

  async function sweep(): Promise<void> {
    const runs = await store.runs.open();
    forget(runs);
    const ours = Map.groupBy(runs, ({ repository }) => repository);
    for (const target of await chooseTargets(ours)) {
      heartbeat();
      try {
        await sweepRepository(target, ours.get(target.repository) ?? []);
      } catch (error) {
        if (!isRefused(error)) throw error;
        log.debug({ err: error, repository: target.repository }, "repository is not swept");
      }
    }
  }

  /** First those where something happens, then the others in turn; each time the one that has waited longest. */
  async function chooseTargets(ours: ReadonlyMap<string, readonly RunRecord[]>): Promise<Target[]> {
    const active = await readActive();
    for (const [repository, [run]] of ours) {
      if (run) active.set(repository, { ...run, heardAtMs: now() });
    }
    const quiet = (await allRepositories()).filter(
      ({ repository }) =>
        !active.has(repository) && now() - lastAsked(repository) >= QUIET_EVERY_MS,
    );
    const inTurn = (some: Iterable<ActiveRepository>) =>
      [...some].sort((a, b) => lastAsked(a.repository) - lastAsked(b.repository));
    return [...inTurn(active.values()), ...inTurn(quiet)].map(({ repository, installationId }) => ({
      repository,
      installation: app.installation(installationId),
    }));
  }

  /** Of this life and those before. */
  async function readActive(): Promise<Map<string, ActiveRepository>> {
    const noted = Active.parse(JSON.parse((await store.notes.get(NOTE)) ?? "[]"));
    const active = new Map<string, ActiveRepository>();
    for (const each of [...noted, ...hearing.active().values()]) {
      if (now() - each.heardAtMs < ACTIVE_MS) active.set(each.repository, each);
    }
    await store.notes.set(NOTE, JSON.stringify([...active.values()]));
    return active;
  }

  async function allRepositories(): Promise<readonly ActiveRepository[]> {
    if (now() - all.atMs < INSTALLATIONS_EVERY_MS) return all.repositories;
    const repositories: ActiveRepository[] = [];
    for (const { id } of await app.installations()) {
      heartbeat();
      if (!budget.take(app.installation(id))) continue;
      const names = await app.repositories(id).catch((error: unknown) => {
        if (!isRefused(error)) throw error;
        return []; // suspended, or gone meanwhile
      });
      for (const repository of names) {
        repositories.push({ repository, installationId: id, heardAtMs: 0 });
      }
    }
    all = { atMs: now(), repositories };
    return repositories;
  }

  async function sweepRepository(target: Target, ours: readonly RunRecord[]): Promise<void> {
    const { repository, installation } = target;
    if (!budget.take(installation)) return;
    askedAtMs.set(repository, now());
    const open = await installation.openRuns(repository);
    const ended = ours.filter(
      (run) => !done.has(keyOf(run)) && !open.some((other) => keyOf(other) === keyOf(run)),
    );
    const inTurn = [...open, ...ended].sort((a, b) => lastAsked(keyOf(a)) - lastAsked(keyOf(b)));
    for (const run of inTurn) {
      heartbeat();
      if (!budget.take(installation)) return;
      askedAtMs.set(keyOf(run), now());
      if ("githubRunId" in run) await hearEnded(target, run);
      else await hearJobs(target, run);
    }
  }

  /** Hands back whether all its jobs have ended. */
  async function hearJobs(target: Target, run: GitHubRun): Promise<boolean> {
    const { repository, installation } = target;
    const jobs = await installation.runJobs(repository, run.id, run.attempt);
    const repositoryId = run.repository.id;
    const of = { run, repository, repositoryId, installationId: installation.id, nowMs: now() };
    for (const job of jobs) await hearing.job(readListedJob(job, of));
    return jobs.every(({ status }) => status === "completed");
  }

  async function hearEnded({ repository, installation }: Target, ours: RunRecord): Promise<void> {
    const run = await installation.run(repository, ours.githubRunId, ours.attempt);
    const isOver = await hearJobs({ repository, installation }, run);
    if (run.status !== "completed" || !isOver) return;
    const isDropped = now() - run.createdAtMs >= DROPPED_AFTER_MS;
    const isByUs = ours.releasedAtMs !== undefined || ours.cancelled !== undefined;
    if (run.conclusion === "cancelled" && !isDropped && !isByUs) {
      await hearing.event({
        type: "run_cancelled",
        ...{ repository, githubRunId: ours.githubRunId, attempt: ours.attempt, atMs: now() },
        // The API does not say who.
        by: { login: "someone on GitHub", isBot: false },
      });
    }
    done.add(keyOf(ours));
  }

  function forget(runs: readonly RunRecord[]): void {
    const open = new Set(runs.map(keyOf));
    for (const key of done) if (!open.has(key)) done.delete(key);
    for (const [key, atMs] of askedAtMs) if (now() - atMs > ACTIVE_MS) askedAtMs.delete(key);
  }

  function lastAsked(key: string): number {
    return askedAtMs.get(key) ?? 0;
  }

  return { sweep };
}

function keyOf(run: GitHubRun | RunRecord): string {
  return `${"githubRunId" in run ? run.githubRunId : run.id}-${run.attempt}`;
}
