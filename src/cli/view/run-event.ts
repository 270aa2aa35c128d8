import type { Conclusion } from "../../../runner/job/job-description.ts";
import type { JobEvent } from "../../../runner/job/job-event.ts";

/** What happens in a run, as `berth run` shows it. `at` is ISO 8601; all but `step_summary` are printed with `--json`. */
export type RunEvent = { readonly run: string; readonly at: string } & (
  | JobEvent
  | { type: "run_started"; workflow: string; event: string; sha: string }
  | { type: "run_finished"; conclusion: Conclusion; ms: number }
);

/** Shows a run. Disposing of it writes what is still to be written. */
export type View = AsyncDisposable & {
  /** Synchronous and quick: the shell that prints must be read on. */
  show(event: RunEvent): void;
  /** A line for people, such as what Ctrl-C does. */
  note(line: string): void;
};
