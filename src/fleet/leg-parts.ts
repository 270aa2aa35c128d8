import type { ExecuteJobDeps } from "../../runner/job/execute-job.ts";
import type { JobDescription } from "../../runner/job/job-description.ts";
import type { ServiceConfig } from "../config/resolve-files.ts";
import type { Installation } from "../github/installation.ts";
import type { Log } from "../log.ts";
import { openActionSource } from "../open-action-source.ts";
import type { Scheduler } from "../scheduler/scheduler.ts";
import { jobFolder } from "../store/job-folder.ts";
import { openJobJournal } from "../store/job-journal.ts";
import { keptTokens } from "../store/kept-tokens.ts";
import { readJobLog } from "../store/read-job-log.ts";
import type { Store } from "../store/store.ts";
import { admitJob } from "./admit-job.ts";
import type { Claim } from "./claim.ts";
import { guardPlaces } from "./guard-places.ts";
import type { HostPlaces } from "./host-places.ts";
import { startJobReport } from "./job-report.ts";
import { openJobTokens } from "./job-tokens.ts";
import { keepTerms } from "./keep-terms.ts";
import { lacksOf } from "./lacks-of.ts";
import { persist } from "./persist.ts";
import { isRepeated, keptResult } from "./rerun.ts";
import { type RunJobDeps, runJob } from "./run-job.ts";
import type { LegDeps } from "./run-leg.ts";
import type { Adopted } from "./run-life.ts";

export type LegPartsOptions = {
  config(): ServiceConfig;
  claim(): Claim;
  readonly store: Store;
  readonly scheduler: Pick<Scheduler, "place">;
  hostOf(name: string): HostPlaces | undefined;
  retellHosts?(): Promise<void>;
  /** Hears that a host has failed a job. */
  doubt?(host: string): void;
  readonly kept?: RunJobDeps["kept"];
  readonly answers?: RunJobDeps["answers"];
  goneGpus?: RunJobDeps["goneGpus"];
  installation(id: number): Installation;
  /** Those that Berth holds; none of a run from a fork. */
  secretsFor(of: {
    readonly repository: string;
    readonly environment?: string;
  }): Promise<{ readonly [name: string]: string }>;
  readonly storeFolder: string;
  readonly stateFolder: string;
  /** Keeps a value out of the service's own log. */
  hide(secret: string): void;
  runningJobs(): number;
  readonly version: string;
  readonly log: Log;
  /** The process stops. */
  readonly signal: AbortSignal;
};

/** What a leg needs beside its run: profile, policy, a place, tokens, its check. */
export function legParts(
  adopted: Adopted,
  options: LegPartsOptions,
): Pick<LegDeps, "kept" | "admit" | "startReport" | "runJob"> {
  const { store, log, signal } = options;
  const { workflow } = adopted;
  const { record: run } = adopted.run;
  const installation = options.installation(run.installationId);

  return {
    async kept(leg) {
      if (run.carried?.includes(leg.name)) {
        const before = `${run.githubRunId}-${run.attempt - 1}`;
        const result = await keptResult(leg.name, { runId: before, jobs: [] }, store);
        if (result !== undefined) return result;
      }
      if (run.rerunOf === undefined || isRepeated(leg, run.rerunOf, workflow)) return undefined;
      const result = await keptResult(leg.name, run.rerunOf, store);
      // Of somebody else's job GitHub knows the result.
      if (result !== undefined || !options.claim().isOurs(leg.labels)) return result;
      return { conclusion: "skipped", outputs: {} };
    },
    async admit(description) {
      const { policy } = options.config();
      return await admitJob(description, {
        ...{ repository: run.repository, claim: options.claim(), policy },
      });
    },
    startReport(keeper) {
      const job = workflow.jobs.find(({ id }) => id === keeper.record.jobKey);
      const stepCount = job?.steps.length;
      return startJobReport(keeper, {
        ...{ installation, workflowFile: workflow.file, log, signal },
        ...(stepCount !== undefined && { stepCount }),
        runningJobs: options.runningJobs,
        toldOf: (execution) =>
          readJobLog(jobFolder(options.storeFolder, execution), { follow: false, signal }),
      });
    },
    runJob: (job, keeper, report, stop) =>
      runJob(job, keeper, { ...partsOfJob(adopted, installation, options), report }, stop),
  };
}

function partsOfJob(
  { facts, workflow, run: { record: run } }: Adopted,
  installation: Installation,
  options: LegPartsOptions,
): Omit<RunJobDeps, "report"> {
  const { scheduler, hostOf, retellHosts, doubt, answers, goneGpus } = options;
  const { storeFolder, stateFolder, log, signal, version } = options;
  const { apiUrl, app } = options.config().github;
  const kept = keptTokens(options.store.notes, app.privateKey);
  return {
    ...{ hostOf, version, log, ...(retellHosts && { retellHosts }), ...(doubt && { doubt }) },
    keepTerms: ({ profile }) => keepTerms(facts, profile?.debug),
    ...(options.kept && { kept: options.kept }),
    ...{ ...(answers && { answers }), ...(goneGpus && { goneGpus }) },
    place: (request, waiting) => scheduler.place(request, waiting),
    openJournal: (id) =>
      openJobJournal(jobFolder(storeFolder, id), {
        maxLogBytes: options.config().store.maxLogSize.bytes,
      }),
    openTokens: ({ repository, description }, execution, cancelled) => {
      // GitHub gives the code of a fork no more than reading, whatever its workflow says.
      const permissions = facts.isFork
        ? readOnly(description.permissions)
        : description.permissions;
      return openJobTokens(installation, {
        ...{ execution, repository, permissions, kept, log, hide: options.hide },
        async insist(work) {
          const either = AbortSignal.any([signal, cancelled]);
          const done = await persist("make a job's token", work, { log, signal: either });
          if (done !== undefined) return done;
          if (signal.aborted) await new Promise<never>(() => {}); // the process stops
          throw cancelled.reason;
        },
      });
    },
    openActions: (token) =>
      openActionSource({
        server: {
          apiUrl,
          token,
          ifNotFound: `Actions come from ${apiUrl} here, and no other server.`,
        },
        localActions: [],
        stateFolder,
      }),
    async secretsFor({ environment }) {
      // The code of a fork is a stranger's, whatever policy lets it do.
      if (facts.isFork) return {};
      return await options.secretsFor({
        repository: run.repository,
        ...(environment !== undefined && { environment }),
      });
    },
    lacks: ({ description }, held) => lacksOf(workflow, description, held),
    guard: (open, job): ExecuteJobDeps["openPlace"] =>
      guardPlaces(open, { policy: options.config().policy, profile: job.profile }),
  };
}

function readOnly(permissions: JobDescription["permissions"]): JobDescription["permissions"] {
  const capped = Object.entries(permissions ?? {}).map(
    ([scope, level]) => [scope, level === "write" ? "read" : level] as const,
  );
  return permissions && Object.fromEntries(capped);
}
