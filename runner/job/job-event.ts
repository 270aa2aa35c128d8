import type { JobDeath } from "./job-death.ts";
import type { Conclusion } from "./job-description.ts";

export type AnnotationLevel = "notice" | "warning" | "error";

/** What happens while a job runs, as the executor tells it; whoever owns the run adds `run` and `at`. */
export type JobEvent =
  | { type: "job_started"; job: string; name: string; host: string; image: string }
  | { type: "step_started"; job: string; name: string; step: number; stepName: string }
  | { type: "log"; job: string; name: string; step: number; line: string }
  | ({ type: "annotation"; job: string; name: string; step: number } & Annotation)
  | { type: "step_summary"; job: string; name: string; step: number; markdown: string }
  | {
      type: "step_finished";
      job: string;
      name: string;
      step: number;
      stepName: string;
      outcome: Conclusion;
      conclusion: Conclusion;
      ms: number;
    }
  | {
      type: "job_finished";
      job: string;
      name: string;
      conclusion: Conclusion;
      outputs: { [name: string]: string };
      ms: number;
      reason?: string;
      death?: JobDeath;
      usage?: JobUsage;
    };

/** What a job took of its host, as its container's control group counted it. */
export type JobUsage = { readonly peakMemoryBytes?: number; readonly cpuSeconds?: number };

/** Lines and columns count from 1; `file` is relative to the workspace where it lies below it. */
export type Annotation = {
  level: AnnotationLevel;
  message: string;
  title?: string;
  file?: string;
  startLine?: number;
  endLine?: number;
  startColumn?: number;
  endColumn?: number;
};
