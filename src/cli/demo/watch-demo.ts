import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import type { JobEvent } from "../../../runner/job/job-event.ts";
import { executionId } from "../../fleet/execution-id.ts";
import type { Delivery } from "../../localhub/hub-event.ts";
import type { HubJob } from "../../localhub/local-hub.ts";
import { jobFolder } from "../../store/job-folder.ts";
import { readJobLog } from "../../store/read-job-log.ts";
import { findService } from "../ask-service.ts";
import { ServiceJob } from "../view/job-table.ts";
import type { Demo } from "./open-demo.ts";

/** A job of the service as its API tells of it. */
export type DemoJob = z.infer<typeof DemoJob>;
const DemoJob = ServiceJob.extend({ runId: z.string(), isReported: z.boolean() });
const Jobs = z.object({ jobs: z.array(DemoJob) });
const JobEventBody = z.object({ workflow_job: z.object({ id: z.number() }) });

/** What happens between the push and the last check. */
export type DemoNews =
  | { type: "delivered"; delivery: Delivery }
  /** `isQueued`: GitHub has queued it, too. */
  | { type: "ours"; job: DemoJob; isQueued: boolean }
  | { type: "hosted"; job: HubJob }
  | { type: "waits"; job: DemoJob; reason: string }
  | { type: "runs"; job: DemoJob }
  | { type: "step"; job: DemoJob; step: JobEvent & { type: "step_finished" } }
  | { type: "ended"; job: DemoJob; conclusion: string; reason: string | undefined };

export type DemoWatch = {
  /** Tells what is new. */
  look(): Promise<void>;
  quietForMs(): number;
  /** Whether all that the pushes so far have started has come to its end. */
  isOver(): boolean;
  /** The service's, in the order of their creation. */
  jobs(): readonly DemoJob[];
};

const LOOK_AGAIN_MS = 100;
/** What GitHub calls its own. */
const HOSTED_RUNNER = { name: "GitHub Actions 1" };

/** Looks now and again, for as long as `isWanted` says and until `signal` is aborted. */
export async function watchWhile(
  watch: DemoWatch,
  isWanted: () => boolean,
  signal: AbortSignal,
): Promise<void> {
  do {
    await watch.look();
    await sleep(LOOK_AGAIN_MS, undefined, { signal }).catch(() => {});
  } while (!signal.aborted && isWanted());
}

/** Follows what GitHub sends and what the service makes of it. Jobs that are not the service's are played: their runner is GitHub's. */
export function watchDemo(
  { hub, claim, configFile, storeFolder }: Demo,
  show: (news: DemoNews) => void,
): DemoWatch {
  const service = findService(configFile, new AbortController().signal);
  const known = new Map<string, DemoJob>();
  const followed = new Map<string, { isOver: boolean }>();
  let delivered = 0;
  let lastNewsAt = performance.now();
  let failure: unknown;

  function tell(news: DemoNews): void {
    lastNewsAt = performance.now();
    show(news);
  }

  function tellDeliveries(): void {
    const deliveries = hub.deliveries();
    for (const delivery of deliveries.slice(delivered)) {
      tell({ type: "delivered", delivery });
      if (delivery.event === "workflow_job") playHosted(delivery.body);
    }
    delivered = deliveries.length;
  }

  function playHosted(body: string): void {
    const { id } = JobEventBody.parse(JSON.parse(body)).workflow_job;
    const job = hub.jobs().find((one) => one.id === id);
    if (job?.status !== "queued" || claim.isOurs(job.labels)) return;
    tell({ type: "hosted", job });
    hub.startJob(id, HOSTED_RUNNER);
    hub.completeJob(id, { conclusion: "success" });
  }

  function tellJob(job: DemoJob): void {
    const before = known.get(job.id);
    known.set(job.id, job);
    // One that nothing was to become of any more is told by its end alone.
    const isLost = job.state === "completed" && job.startedAtMs === undefined;
    if (before === undefined && !isLost) tell({ type: "ours", job, isQueued: isQueued(job) });
    if (job.state === "queued" && job.reason !== undefined && job.reason !== before?.reason) {
      tell({ type: "waits", job, reason: job.reason });
    }
    const execution = executionId(job);
    if (job.startedAtMs !== undefined && !followed.has(execution)) {
      tell({ type: "runs", job });
      const follower = { isOver: false };
      followed.set(execution, follower);
      void follow(job, execution)
        .catch((error: unknown) => {
          failure ??= error;
        })
        .finally(() => {
          follower.isOver = true;
        });
    }
    const isNew = before?.state !== "completed" && job.state === "completed";
    if (isNew && !followed.has(execution)) {
      tell({ type: "ended", job, conclusion: job.conclusion ?? "", reason: job.reason });
    }
  }

  /** GitHub's job of that name waits for a runner. */
  function isQueued({ runId, name }: DemoJob): boolean {
    return hub.jobs().some((job) => runId.startsWith(`${job.runId}-`) && job.name === name);
  }

  async function follow(job: DemoJob, execution: string): Promise<void> {
    const told = readJobLog(jobFolder(storeFolder, execution), { follow: true });
    for await (const event of told) {
      if (event.type === "step_finished") tell({ type: "step", job, step: event });
      if (event.type === "job_finished") {
        const { conclusion, reason } = event;
        tell({ type: "ended", job, conclusion, reason });
      }
    }
  }

  const jobs = () => [...known.values()];
  return {
    jobs,
    quietForMs: () => performance.now() - lastNewsAt,
    async look() {
      if (failure !== undefined) throw failure;
      tellDeliveries();
      const answer = await service.ask("GET", "/api/jobs?open=0&limit=1000", Jobs);
      for (const job of answer.jobs.toReversed()) tellJob(job);
    },
    isOver() {
      const runs = hub.runs();
      return (
        runs.length > 0 &&
        runs.every(({ status }) => status === "completed") &&
        jobs().every(({ state, isReported }) => state === "completed" && isReported) &&
        [...followed.values()].every(({ isOver }) => isOver)
      );
    },
  };
}
