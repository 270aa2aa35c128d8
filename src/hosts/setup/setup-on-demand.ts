import { BerthError } from "../../../runner/errors.ts";
import type { HostAccess } from "../host-access.ts";
import type { MachineShell } from "../machine-shell.ts";
import type { SetupEvent } from "../setup-step.ts";
import { applyPlan, checkPlan } from "./apply-plan.ts";
import { planSetup } from "./plan-setup.ts";
import { readSetupFacts } from "./setup-facts.ts";
import type { SetupLog } from "./setup-log.ts";
import type { PlanStep, SetupPart, SetupPlan, SetupWish } from "./setup-plan.ts";

export type SetupMode = "never" | "plan" | "auto";

/** One step, and what became of it. */
export type SetupAttempt = {
  readonly part: SetupPart;
  readonly step: string;
  /** `skipped`: a step before it failed. */
  readonly outcome: "done" | "present" | "failed" | "planned" | "skipped";
  /** What the step is for; of a failed one what went wrong. */
  readonly why: string;
  readonly commands: readonly string[];
  readonly sudo: boolean;
  readonly changes: string;
  readonly verified: string;
};

export type SetupAnswer = {
  readonly mode: SetupMode;
  /** The machine has what was wished for. */
  readonly ok: boolean;
  /** The engine that is there now, or in mode `plan` would be. */
  readonly engine: SetupPlan["engine"];
  readonly endpoint: string | undefined;
  readonly attempts: readonly SetupAttempt[];
  /** Why it is not the engine that was wished for, or that comes first. */
  readonly fallbackReason?: string;
  readonly obstacles: SetupPlan["obstacles"];
  readonly notes: readonly string[];
  /** What ended it early. */
  readonly error?: { readonly message: string; readonly remedy?: string | undefined };
};

export type OnDemandOptions = {
  readonly mode: SetupMode;
  readonly allow: readonly SetupPart[];
  readonly wish: Omit<SetupWish, "allow">;
  report?(event: SetupEvent): void;
  readonly log?: SetupLog | undefined;
  readonly signal: AbortSignal;
};

/**
 * Sets up what a machine lacks of what is wished for, or says what it would do. A rootless engine that cannot be set up in fact, too, is followed by
 * the system's Docker, where that is allowed. A step that fails is in the answer, not thrown.
 *
 * @throws {BerthError} `HOST_UNREACHABLE`, `SETUP_FAILED` when the machine says nothing of itself.
 */
export async function setupOnDemand(
  access: Pick<HostAccess, "name" | "shell">,
  options: OnDemandOptions,
): Promise<SetupAnswer> {
  const { mode, allow, wish, signal } = options;
  const { shell } = access;
  if (mode === "never") return nothingOf(mode, []);
  if (shell === undefined) {
    const reason = `${access.name} is reached through its engine only, so that nothing can be set up there.`;
    const remedy = "Give the host an ssh address.";
    return nothingOf(mode, [{ part: wish.engine ?? "docker", reason, remedy }]);
  }
  const facts = await readSetupFacts(shell, signal);
  const plan = planSetup(facts, { ...wish, allow });
  if (mode === "plan") return await planned(plan, { shell, signal });

  const first = await applied(plan, shell, options);
  const mayFallBack =
    first.error !== undefined && plan.engine === "rootless" && allow.includes("docker");
  if (!mayFallBack) return first;
  const second = planSetup(await readSetupFacts(shell, signal), {
    ...{ ...wish, engine: "docker" },
    allow,
  });
  if (second.engine === undefined) {
    return { ...first, obstacles: [...first.obstacles, ...second.obstacles] };
  }
  const answer = await applied(second, shell, options);
  return {
    ...answer,
    attempts: [...first.attempts, ...answer.attempts],
    fallbackReason: first.error?.message ?? "",
  };
}

function nothingOf(mode: SetupMode, obstacles: SetupPlan["obstacles"]): SetupAnswer {
  const none = { engine: undefined, endpoint: undefined, attempts: [], notes: [] };
  return { ...none, mode, ok: false, obstacles };
}

async function planned(
  plan: SetupPlan,
  { shell, signal }: { readonly shell: MachineShell; readonly signal: AbortSignal },
): Promise<SetupAnswer> {
  const done = await checkPlan(plan, { shell, signal });
  const attempts = plan.steps.map((step, index) =>
    attemptOf(step, { outcome: done[index] ? "present" : "planned" }),
  );
  const ok = plan.engine !== undefined && plan.obstacles.length === 0 && !done.includes(false);
  return { mode: "plan", ok, ...partsOf(plan), attempts };
}

async function applied(
  plan: SetupPlan,
  shell: MachineShell,
  { report = () => {}, log, signal }: OnDemandOptions,
): Promise<SetupAnswer> {
  const outcomes = new Map<string, SetupAttempt["outcome"]>();
  const tell = (event: SetupEvent) => {
    const outcome = OUTCOMES[event.type];
    if (outcome !== undefined) outcomes.set(event.name, outcome);
    report(event);
  };
  let error: BerthError | undefined;
  try {
    await applyPlan(plan, { shell, log, report: tell, signal });
  } catch (thrown) {
    signal.throwIfAborted();
    if (!(thrown instanceof BerthError) || thrown.code !== "SETUP_FAILED") throw thrown;
    error = thrown;
  }
  const attempts = plan.steps.map((step) => {
    const outcome = outcomes.get(step.name) ?? "skipped";
    return attemptOf(step, { outcome, ...(outcome === "failed" && { why: error?.message }) });
  });
  const ok = error === undefined && plan.engine !== undefined && plan.obstacles.length === 0;
  const told = error && { error: { message: error.message, remedy: error.remedy } };
  return { mode: "auto", ok, ...partsOf(plan), attempts, ...told };
}

const OUTCOMES: { readonly [type in SetupEvent["type"]]?: SetupAttempt["outcome"] } = {
  step_present: "present",
  step_done: "done",
  step_failed: "failed",
};

function partsOf({ engine, endpoint, fallbackReason, obstacles, notes }: SetupPlan) {
  const fallback = fallbackReason !== undefined && { fallbackReason };
  return { engine, endpoint, ...fallback, obstacles, notes };
}

function attemptOf(
  { part, name, why, commands, sudo, changes, verified }: PlanStep,
  became: { readonly outcome: SetupAttempt["outcome"]; readonly why?: string | undefined },
): SetupAttempt {
  const { outcome } = became;
  return { part, step: name, outcome, why: became.why ?? why, commands, sudo, changes, verified };
}
