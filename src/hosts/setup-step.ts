import { BerthError } from "../../runner/errors.ts";

/** One thing a machine may lack. Applying it where nothing is missing does nothing. */
export type SetupStep = {
  readonly name: string;
  readonly why: string;
  /** What will be run, as one would type it; shown before anything is applied. */
  readonly commands: readonly string[];
  /** True when nothing is (or no longer) to be done. */
  isDone(signal: AbortSignal): Promise<boolean>;
  apply(options: ApplyOptions): Promise<void>;
};

export type ApplyOptions = {
  /** One line about what goes on right now; may be called often. */
  progress(line: string): void;
  readonly signal: AbortSignal;
};

/** What happens while a plan is applied, for whoever shows it. `ms` is the time the step took, in milliseconds. */
export type SetupEvent =
  | { type: "step_present"; name: string }
  | { type: "step_started"; name: string; why: string; commands: readonly string[] }
  | { type: "step_progress"; name: string; line: string }
  | { type: "step_done"; name: string; ms: number }
  | { type: "step_failed"; name: string; ms: number };

/**
 * Applies what is missing of a plan, in order, and checks each step after it was applied.
 *
 * @throws {BerthError} `SETUP_FAILED` at the first step that fails or that is not done after it was applied. The steps
 * before it stay; applying the plan again goes on from there.
 */
export async function applySetup(
  steps: readonly SetupStep[],
  options: { report(event: SetupEvent): void; signal: AbortSignal },
): Promise<void> {
  const { report, signal } = options;
  for (const step of steps) {
    signal.throwIfAborted();
    const { name, why, commands } = step;
    if (await step.isDone(signal)) {
      report({ type: "step_present", name });
      continue;
    }
    const begin = performance.now();
    report({ type: "step_started", name, why, commands });
    try {
      const progress = (line: string) => report({ type: "step_progress", name, line });
      await step.apply({ progress, signal });
      if (!(await step.isDone(signal))) throw isStillMissing(name);
      report({ type: "step_done", name, ms: performance.now() - begin });
    } catch (error) {
      report({ type: "step_failed", name, ms: performance.now() - begin });
      throw error;
    }
  }
}

function isStillMissing(name: string): BerthError {
  return new BerthError("SETUP_FAILED", {
    message: `"${name}" ran without an error, and yet is not done.`,
    remedy: "Run the command again with --log-level debug and look at what the step printed.",
  });
}
