import type { Conclusion, JobDescription } from "../../runner/job/job-description.ts";

/** Remembers which jobs failed, so that `--keep` leaves their containers and says how to get in. */
export type FailedKeeper = {
  ended(job: JobDescription, conclusion: Conclusion): void;
  /** Whether to leave the container of a job; once left, `lines` speaks of it. */
  keeps(place: { readonly jobId: string; readonly containerId: string }): boolean;
  lines(endpoint: string): string[];
};

export function keepFailed(isWanted: boolean): FailedKeeper {
  const failed = new Map<string, JobDescription>();
  const kept = new Map<string, JobDescription>();
  return {
    ended(job, conclusion) {
      if (conclusion === "failure") failed.set(job.id, job);
    },
    keeps({ jobId, containerId }) {
      const job = failed.get(jobId);
      if (!isWanted || job === undefined) return false;
      kept.set(containerId, job);
      return true;
    },
    lines(endpoint) {
      const runs = new Set([...kept.values()].map(({ runId }) => runId));
      return [
        ...[...kept].flatMap(([containerId, job]) => [
          `The container of ${job.name} is kept. To get in:`,
          `  docker -H ${endpoint} exec -it ${containerId.slice(0, 12)} sh`,
        ]),
        ...[...runs].map((run) => `To remove what is kept: berth gc ${run}`),
      ];
    },
  };
}
