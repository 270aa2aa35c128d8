import type { Conclusion } from "../../../../runner/job/job-description.ts";
import type { Annotation, JobEvent } from "../../../../runner/job/job-event.ts";
import {
  applyJobEvent,
  emptyJobView,
  type JobView,
} from "../../../../src/fleet/report/job-view.ts";
import type { JobRecord } from "../../../../src/store/records.ts";

const job = { job: "build", name: "Build" };

/** Events of a job called Build. */
export const told = {
  started: (host = "gpu-1"): JobEvent => ({ type: "job_started", ...job, host, image: "img:1" }),
  step: (step: number, stepName: string): JobEvent => ({
    ...{ type: "step_started", ...job, step, stepName },
  }),
  line: (step: number, line: string): JobEvent => ({ type: "log", ...job, step, line }),
  annotation: (step: number, annotation: Annotation): JobEvent => ({
    ...{ type: "annotation", ...job, step, ...annotation },
  }),
  summary: (step: number, markdown: string): JobEvent => ({
    ...{ type: "step_summary", ...job, step, markdown },
  }),
  stepEnded: (step: number, stepName: string, conclusion: Conclusion = "success"): JobEvent => ({
    ...{ type: "step_finished", ...job, step, stepName, outcome: conclusion, conclusion, ms: 1500 },
  }),
  ended: (conclusion: Conclusion, outputs: { [name: string]: string } = {}): JobEvent => ({
    ...{ type: "job_finished", ...job, conclusion, outputs, ms: 123_000 },
  }),
};

export function viewOf(events: readonly JobEvent[]): JobView {
  const view = emptyJobView();
  for (const event of events) applyJobEvent(view, event, undefined);
  return view;
}

export function jobRecord(facts: Partial<JobRecord> = {}): JobRecord {
  return {
    ...{ id: "5-1.build", runId: "5-1", repository: "octo/hello", installationId: 1 },
    ...{ name: "Build", labels: ["berth"], headSha: "0".repeat(40), state: "queued" },
    ...{ retries: 0, isReported: false, createdAtMs: 0 },
    ...facts,
  };
}
