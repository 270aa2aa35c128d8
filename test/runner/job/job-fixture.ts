import { randomUUID } from "node:crypto";
import type { Template } from "../../../runner/expressions/template.ts";
import {
  type ExecuteJobDeps,
  executeJob,
  type JobResult,
} from "../../../runner/job/execute-job.ts";
import type {
  JobDescription,
  RunStep,
  StepDescription,
} from "../../../runner/job/job-description.ts";
import type { JobEvent } from "../../../runner/job/job-event.ts";
import { openLocalPlace } from "../../../runner/job/local-place.ts";

export type StepFixture = Partial<Omit<RunStep, "kind">> | StepDescription;

/** A job of `run` steps, each with the implicit `success()` unless it says otherwise. */
export function aJob(
  steps: readonly StepFixture[],
  job: Partial<JobDescription> = {},
): JobDescription {
  return {
    // Its processes are found by it, and other tests run beside this one.
    id: `job-${randomUUID()}`,
    runId: "run-1",
    job: "promise",
    name: "promise",
    labels: ["ubuntu-latest"],
    contexts: {
      github: {
        repository: "octo/hello",
        repository_owner: "octo",
        event_name: "push",
        sha: "abc",
        event: { greeting: "good day" },
        workflow: "w",
      },
      needs: {},
      strategy: {},
      matrix: {},
      inputs: null,
      vars: {},
    },
    secrets: {},
    env: [],
    defaults: {},
    steps: steps.map((step, index) =>
      "kind" in step
        ? step
        : { kind: "run", id: `__run_${index}`, if: "success()", run: "true", ...step },
    ),
    timeoutMinutes: 360,
    workflowFile: ".github/workflows/w.yml",
    ...job,
  };
}

export type Ran = {
  readonly result: JobResult;
  readonly events: readonly JobEvent[];
  /** The lines of the steps alone, without their headers. */
  readonly log: readonly string[];
  readonly annotations: readonly string[];
  /** `outcome/conclusion` of each step of the workflow. */
  readonly steps: readonly string[];
};

export type RunOptions = Partial<ExecuteJobDeps> & {
  readonly signal?: AbortSignal;
  readonly graceMs?: readonly [number, number];
};

/** Runs a job on this machine and gives back all it told. */
export async function run(job: JobDescription, options: RunOptions = {}): Promise<Ran> {
  const { signal = new AbortController().signal, graceMs, report, ...deps } = options;
  const events: JobEvent[] = [];
  const result = await executeJob(
    job,
    {
      openPlace: (request, place) =>
        openLocalPlace(request, { ...place, env: process.env, ...(graceMs ? { graceMs } : {}) }),
      ...deps,
      report(event) {
        events.push(event);
        report?.(event);
      },
    },
    signal,
  );
  return { result, events, ...told(events, job.steps.length) };
}

export function told(
  events: readonly JobEvent[],
  stepCount: number,
): Omit<Ran, "result" | "events"> {
  const isOfSteps = (step: number) => step > 1 && step <= stepCount + 1;
  const lines = events.flatMap((event) =>
    event.type === "log" && isOfSteps(event.step) ? [event.line] : [],
  );
  let isHeader = false;
  const log = lines.filter((line) => {
    if (line.startsWith("##[group]Run ")) isHeader = true;
    const isShown = !isHeader;
    if (line === "##[endgroup]") isHeader = false;
    return isShown;
  });
  return {
    log,
    annotations: events.flatMap((event) =>
      event.type === "annotation" ? [`${event.level}: ${event.message}`] : [],
    ),
    steps: events.flatMap((event) =>
      event.type === "step_finished" && isOfSteps(event.step)
        ? [`${event.outcome}/${event.conclusion}`]
        : [],
    ),
  };
}

/** A mapping as the planner gives it: texts, and expressions marked with `$`. */
export function mapping(entries: { readonly [name: string]: Template }): Template {
  return { map: Object.entries(entries) };
}

/** An expression, without its `${{ }}`. */
export function ex(expr: string): Template {
  return { expr };
}
