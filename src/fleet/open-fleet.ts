import { BerthError, textOf } from "../../runner/errors.ts";
import { jobFolder } from "../store/job-folder.ts";
import { readJobLog } from "../store/read-job-log.ts";
import { adoptRun } from "./adopt-run.ts";
import { executionId } from "./execution-id.ts";
import { Fleet } from "./fleet.ts";
import { JobKeeper } from "./job-keeper.ts";
import { startJobReport } from "./job-report.ts";
import { type LegPartsOptions, legParts } from "./leg-parts.ts";
import { persist } from "./persist.ts";
import { changeOrTimeout, releaseRun } from "./release-run.ts";

/** GitHub's end of a run is looked at this often while others' jobs go on, in case an event was lost. */
const LOOK_AGAIN_MS = 60_000;

/** The fleet with everything real. `options.signal` is aborted when this process takes nothing up any more. */
export function openFleet(
  options: Omit<LegPartsOptions, "runningJobs"> & { readonly eventTimeoutMs?: number },
): Fleet {
  const { store, log, signal } = options;
  const runningJobs = () => fleet.controls.running;

  const fleet: Fleet = new Fleet(
    {
      ...{ store, log, claim: options.claim },
      adopt: (run) =>
        adoptRun(run, {
          ...{ config: options.config(), claim: options.claim(), store, log, signal },
          installation: options.installation(run.installationId),
          ...(options.eventTimeoutMs !== undefined && { eventTimeoutMs: options.eventTimeoutMs }),
        }),
      async release({ run, blocked, jobs }, githubJobs, stopped) {
        const { record } = run;
        const nextChange = (until: AbortSignal) =>
          changeOrTimeout((either) => githubJobs.nextChange(record, either), {
            timeoutMs: LOOK_AGAIN_MS,
            signal: until,
          });
        try {
          await releaseRun(
            run,
            {
              githubJob: options.config().githubJob,
              isOurs: options.claim().isOurs,
              hasHostedDependent: Object.keys(blocked).some(
                (job) => jobs.get(job)?.owner === "hosted",
              ),
              installation: options.installation(record.installationId),
              nextChange,
              persist: (what, work) => persist(what, work, { log, signal }),
              log,
            },
            stopped,
          );
        } catch (error) {
          // Its jobs have ended and were reported; what GitHub shows of its own is all that is missing.
          if (!(error instanceof BerthError) || error.code !== "GITHUB_REFUSED") throw error;
          log.warn({ run: record.id, error: textOf(error) }, "GitHub's side of a run is left");
        }
      },
      legDeps: (adopted) => legParts(adopted, { ...options, runningJobs }),
      reportEnded(record) {
        const keeper = new JobKeeper(record, store);
        const toldOf = (execution: string) =>
          readJobLog(jobFolder(options.storeFolder, execution), { follow: false, signal });
        const report = startJobReport(keeper, {
          ...{ installation: options.installation(record.installationId), log, signal },
          ...{ workflowFile: record.workflowFile ?? ".github", runningJobs, toldOf },
        });
        void report
          .recall(toldOf(executionId(record)))
          .catch((error: unknown) =>
            log.warn({ job: record.id, error: textOf(error) }, "log not read"),
          )
          .then(() => report.finished());
      },
    },
    signal,
  );
  return fleet;
}
