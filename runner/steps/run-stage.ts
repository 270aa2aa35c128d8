import {
  evaluateCondition,
  evaluateTemplate,
  isTruthy,
  type Scope,
} from "../expressions/evaluate.ts";
import type { Template } from "../expressions/template.ts";
import { fileToken } from "../job/contexts.ts";
import { deathOf, type JobDeath } from "../job/job-death.ts";
import type { Conclusion, StepDescription } from "../job/job-description.ts";
import { isEndOfJob, messageOf } from "../job/job-end.ts";
import { noFreshToken } from "../job/job-token.ts";
import { rememberHashes } from "../job/running-job.ts";
import type { StepLog } from "../logs/step-log.ts";
import { commandFiles } from "./command-files.ts";
import { readEnv } from "./read-env.ts";
import { runActionStage } from "./run-action-stage.ts";
import type { CompositeEnd } from "./run-composite.ts";
import { runScript } from "./run-script.ts";
import type { RunningStep } from "./running-step.ts";
import type { Stage, StepScope } from "./step-scope.ts";
import { StepStop } from "./step-stop.ts";

/** A stage of a step whose `env` is known; its condition is not asked yet. */
export type BegunStage = Omit<RunningStep, "log" | "stop" | "summary" | "blame"> & {
  readonly step: StepDescription;
  readonly stage: Stage;
  readonly stepScope: StepScope;
  /** The `env` of this step alone. */
  readonly ownEnv: { readonly [name: string]: string };
  readonly envProblem: { readonly error: unknown } | undefined;
  /** Why the token is not a fresh one. */
  readonly tokenProblem: string | undefined;
  readonly recallHash: NonNullable<Scope["hashFiles"]>;
};

export type StageResult = {
  readonly outcome: Conclusion;
  readonly conclusion: Conclusion;
  /** The condition could not be evaluated: a composite action stops there. */
  readonly isBroken: boolean;
  /** What it failed of, where that was no fault of its own. */
  readonly death?: JobDeath | undefined;
};

/** How a stage ended: whether it did well, or what a composite action makes of its steps, who knew of a cancellation. */
export type StageEnd = boolean | CompositeEnd;

/** Where a stage tells what happens, and within what it runs. */
export type StageSurroundings = {
  readonly stepName: string;
  /** Expression text; of a post stage its `post-if`. */
  readonly condition: string;
  readonly log: StepLog;
  summary(markdown: string): void;
  /** Of the composite action around it. */
  readonly outerStop?: StepStop;
};

/** Gives a stage its files and its `env`, whose entries cannot see each other. */
export async function beginStage(
  step: StepDescription,
  stage: Stage,
  stepScope: StepScope,
): Promise<BegunStage> {
  const { running, records } = stepScope;
  const tokenProblem = await renewToken(running);
  const overrides = running.token.renewAll(stepScope.overrides);
  const token = fileToken(running.job, running.nextNumber());
  const files = commandFiles(running.place.paths.temp, token);
  const named = { action: step.id, action_ref: "", action_repository: "" };
  // Within an action `github.action` stays that of the job's step.
  const github = {
    ...stepScope.github,
    ...(stepScope.within.length === 0 ? named : {}),
    ...files,
    token: running.token.current,
  };
  const hashes = rememberHashes(running);
  const env = { ...running.state.env, ...overrides };
  const scope = { contexts: stepScope.contexts({ env, github }), hashFiles: hashes.compute };
  const { ownEnv, envProblem } = await readOwnEnv(step.env, scope);
  Object.assign(env, ownEnv);
  const state = step.kind === "uses" ? stepScope.instances.of(step).state : new Map();

  return {
    ...{ step, stage, stepScope, ownEnv, envProblem, tokenProblem, recallHash: hashes.recall },
    ...{ running, id: step.id, env, github, scope, token, state },
    // Pre and post stages have no outputs.
    setOutput: (name, value) => void (stage === "main" && records.setOutput(step.id, name, value)),
    saveState: (name, value) => void state.set(name, value),
  };
}

/** Gets a token for a stage that is not replayed; variables of the job that held an older one have it now. */
async function renewToken({
  token,
  place,
  state,
}: StepScope["running"]): Promise<string | undefined> {
  const problem = place.shell.replaying ? undefined : await token.refresh();
  if (token.volatile.length > 0) state.renewEnv((value) => token.renew(value));
  return problem;
}

/**
 * Runs a stage of a step, from its condition to its conclusion. One that fails is a result; thrown is only what ends the job.
 */
export async function runStage(
  begun: BegunStage,
  surroundings: StageSurroundings,
): Promise<StageResult> {
  const { step, stepScope, scope } = begun;
  const { log, summary, condition, outerStop } = surroundings;
  const isOfJob = stepScope.within.length === 0;
  let death: JobDeath | undefined;
  const blame = (cause: JobDeath | undefined) => {
    death ??= cause;
  };
  const fail = (error: unknown, isBroken: boolean): StageResult => {
    if (isEndOfJob(error)) throw error;
    log.annotate({ level: "error", message: messageOf(error) });
    blame(deathOf(error));
    return { outcome: "failure", conclusion: "failure", isBroken, death };
  };
  const { secrets: _, ...visible } = scope.contexts;
  const holds = (isCancelling: boolean) =>
    evaluateCondition(
      condition,
      {
        contexts: visible,
        status: stepScope.status(isCancelling),
        hashFiles: isCancelling ? begun.recallHash : (scope.hashFiles ?? begun.recallHash),
      },
      step.at,
    );

  // What keeps a step from beginning is not forgiven, as on GitHub (`StepsRunner.cs`), but for the `env` of a composite action's steps.
  if (begun.envProblem) {
    const failed = fail(begun.envProblem.error, false);
    return isOfJob ? failed : await forgive(failed);
  }
  let isWanted: boolean;
  try {
    isWanted = await holds(false);
  } catch (error) {
    return fail(error, true);
  }
  if (!isWanted) return { outcome: "skipped", conclusion: "skipped", isBroken: false };
  if (begun.tokenProblem !== undefined) {
    log.annotate({ level: "warning", message: noFreshToken(begun.tokenProblem) });
  }

  try {
    const stop = new StepStop(outerStop);
    const minutes = isOfJob ? await readTimeout(step.timeoutMinutes, { scope, log }) : 0;
    const self = { ...begun, log, summary, stop, blame };
    const outcome = await untilStopped({ ...surroundings, self, minutes, holds });
    return await forgive({ outcome, conclusion: outcome, isBroken: false, death });
  } catch (error) {
    return await forgive(fail(error, false));
  }

  async function forgive(result: StageResult): Promise<StageResult> {
    const isForgiven = result.outcome === "failure" && (await isForgivable(step, { scope, log }));
    return isForgiven ? { ...result, conclusion: "success" } : result;
  }
}

/** Runs a stage until it ends, its time is over, or the job is cancelled and the step does not want to go on. */
async function untilStopped(stage: {
  readonly self: BegunStage & RunningStep;
  readonly minutes: number;
  readonly log: StepLog;
  readonly stepName: string;
  holds(isCancelling: boolean): Promise<boolean>;
}): Promise<Conclusion> {
  const { self, minutes, log, stepName } = stage;
  const { stop, running } = self;
  const timer = minutes > 0 ? setTimeout(() => stop.halt("timeout"), minutes * 60_000) : undefined;
  using _listening = running.cancellation.onCancel(() => stop.haltUnless(stage.holds(true)));

  let end: StageEnd;
  try {
    end = await handle(self);
  } catch (error) {
    // What breaks off because the step was stopped is no news.
    if (isEndOfJob(error) || stop.reason === undefined) throw error;
    end = false;
  } finally {
    clearTimeout(timer);
  }
  await stop.decided();
  if (typeof end === "string" && stop.reason !== "timeout") return end;
  if (stop.reason === undefined) return end ? "success" : "failure";

  const isTimeout = stop.reason === "timeout";
  const message = isTimeout
    ? `The action '${stepName}' has timed out after ${minutes} minutes.`
    : "The operation was canceled.";
  if (stop.isOwn) log.annotate({ level: "error", message });
  return isTimeout ? "failure" : "cancelled";
}

async function handle(self: BegunStage & RunningStep): Promise<StageEnd> {
  const { step, stage, stepScope } = self;
  if (step.kind === "uses") return await runActionStage(step, stage, self, stepScope);
  const github = { ...self.github, action_ref: "", action_repository: "" };
  const scope = { ...self.scope, contexts: { ...self.scope.contexts, github: () => github } };
  return await runScript(step, { ...self, github, scope }, stepScope.defaults);
}

async function readOwnEnv(
  template: Template | undefined,
  scope: Scope,
): Promise<Pick<BegunStage, "ownEnv" | "envProblem">> {
  try {
    return { ownEnv: await readEnv(template, scope), envProblem: undefined };
  } catch (error) {
    if (isEndOfJob(error)) throw error;
    return { ownEnv: {}, envProblem: { error } };
  }
}

/** Minutes, 0 for none. What cannot be evaluated is logged and counts as none, as on GitHub's runner. */
async function readTimeout(
  template: Template | undefined,
  { scope, log }: { scope: Scope; log: StepLog },
): Promise<number> {
  if (template === undefined) return 0;
  try {
    const minutes = Number(await evaluateTemplate(template, scope));
    if (!Number.isNaN(minutes)) return Math.min(minutes, LONGEST_TIMEOUT_MINUTES);
    throw new Error("The value of timeout-minutes is not a number.");
  } catch (error) {
    if (isEndOfJob(error)) throw error;
    const cause = "An error occurred when attempting to determine the step timeout.";
    log.annotate({ level: "error", message: `${cause} ${messageOf(error)}` });
    return 0;
  }
}

/** What a timer can hold: 24 days. */
const LONGEST_TIMEOUT_MINUTES = 35_000;

async function isForgivable(
  step: StepDescription,
  { scope, log }: { scope: Scope; log: StepLog },
): Promise<boolean> {
  try {
    return isTruthy(await evaluateTemplate(step.continueOnError ?? false, scope));
  } catch (error) {
    if (isEndOfJob(error)) throw error;
    const message =
      "The step failed and an error occurred when attempting to determine whether to continue on error.";
    log.annotate({ level: "error", message });
    log.annotate({ level: "error", message: messageOf(error) });
    return false;
  }
}
