import type { MachineShell } from "../machine-shell.ts";
import { applySetup, type SetupEvent } from "../setup-step.ts";
import { scriptStep } from "./script-step.ts";
import { lockSetup } from "./setup-lock.ts";
import type { SetupLog } from "./setup-log.ts";
import type { SetupPlan } from "./setup-plan.ts";

export type ApplyPlanOptions = {
  readonly shell: MachineShell;
  readonly log?: SetupLog | undefined;
  report(event: SetupEvent): void;
  readonly signal: AbortSignal;
};

/**
 * Applies what a machine lacks of a plan, in order; each step looks first, and again after it. What was done stays, and applying the plan again
 * goes on from there.
 *
 * @throws {BerthError} `SETUP_FAILED` at the first step that fails, with a `CommandFailure` as its cause, and when another set-up is under way;
 * `HOST_UNREACHABLE`
 */
export async function applyPlan(
  plan: Pick<SetupPlan, "steps">,
  { shell, log, report, signal }: ApplyPlanOptions,
): Promise<void> {
  await using _lock = await lockSetup(shell, { signal });
  const steps = plan.steps.map((step) => scriptStep(step, { shell, log }));
  const tell = (event: SetupEvent) => {
    if (event.type !== "step_progress") log?.write(`${event.type} ${event.name}`);
    report(event);
  };
  await applySetup(steps, { report: tell, signal });
}

/** For each step of a plan whether it is done; changes nothing. */
export async function checkPlan(
  plan: Pick<SetupPlan, "steps">,
  { shell, signal }: Pick<ApplyPlanOptions, "shell" | "signal">,
): Promise<boolean[]> {
  const done: boolean[] = [];
  for (const step of plan.steps) done.push(await scriptStep(step, { shell }).isDone(signal));
  return done;
}
