import { refuseAction } from "../actions/refuse-action.ts";
import {
  evaluateCondition,
  evaluateTemplate,
  isTruthy,
  type Scope,
} from "../expressions/evaluate.ts";
import type { Template } from "../expressions/template.ts";
import { type Context, fileToken } from "../job/contexts.ts";
import type { Conclusion, StepDescription } from "../job/job-description.ts";
import { isEndOfJob, messageOf } from "../job/job-end.ts";
import { type RunningJob, rememberHashes, stepContexts } from "../job/running-job.ts";
import type { StepLog } from "../logs/step-log.ts";
import { commandFiles } from "./command-files.ts";
import { displayName } from "./display-name.ts";
import { readEnv } from "./read-env.ts";
import { runScript } from "./run-script.ts";
import type { StepStop } from "./running-step.ts";

/**
 * Runs one step, from its condition to its conclusion, and keeps in the job's state what it leaves. A step that fails is a
 * result; thrown is only what ends the job.
 */
export async function runStep(step: StepDescription, running: RunningJob): Promise<void> {
  const token = fileToken(running.job, running.nextNumber());
  const github = stepGithub(step, running, token);
  const hashes = rememberHashes(running);
  const env = { ...running.state.env };
  const contexts = stepContexts(running, { env, github });
  const scope: Scope = { contexts, hashFiles: hashes.compute };

  const envProblem = await addStepEnv(env, step.env, scope);
  const stepName = await displayName(step, scope);
  const report = running.report.startStep(stepName);
  const { log } = report;

  try {
    const run = async () => {
      if (envProblem) throw envProblem.error;
      const { secrets: _, ...visible } = contexts;
      const condition = { contexts: visible, status: statusFunctions(running) };
      const holds = (hashFiles: Scope["hashFiles"] & {}) =>
        evaluateCondition(step.if, { ...condition, hashFiles }, step.at);
      if (!(await holds(hashes.compute))) return "skipped";

      const minutes = await readTimeout(step.timeoutMinutes, { scope, log });
      const { summary } = report;
      const setOutput = (name: string, value: string) =>
        running.state.setOutput(step.id, name, value);
      const saveState = () => undefined;
      const state = new Map<string, string>();
      const self = {
        ...{ running, id: step.id, log, env, github, scope, token },
        ...{ state, setOutput, saveState, summary },
      };
      const wantsToGoOn = () => holds(hashes.recall);
      return await untilStopped({ running, minutes, wantsToGoOn, log, stepName }, (stop) =>
        step.kind === "run" ? runScript(step, { ...self, stop }) : refuseAction(step.uses),
      );
    };
    const outcome = await run().catch((error: unknown) => failure(error, log));
    const isForgiven = outcome === "failure" && (await isForgivable(step, { scope, log }));
    const conclusion = isForgiven ? "success" : outcome;
    running.state.endStep(step.id, { outcome, conclusion });
    report.finished(outcome, conclusion);
  } catch (error) {
    throw await running.end(error, report);
  }
}

/** Runs a step's handler until it ends, its time is over, or the job is cancelled and the step does not want to go on. */
async function untilStopped(
  step: {
    readonly running: RunningJob;
    readonly minutes: number;
    readonly log: StepLog;
    readonly stepName: string;
    wantsToGoOn(): Promise<boolean>;
  },
  handle: (stop: StepStop) => Promise<boolean>,
): Promise<Conclusion> {
  const { running, minutes, log, stepName, wantsToGoOn } = step;
  const controller = new AbortController();
  const stop: StepStop = { signal: controller.signal, reason: undefined };
  const halt = (reason: StepStop["reason"]) => {
    stop.reason ??= reason;
    controller.abort();
  };
  const timer = minutes > 0 ? setTimeout(halt, minutes * 60_000, "timeout") : undefined;
  using _listening = running.cancellation.onCancel(() => {
    wantsToGoOn().then(
      (goesOn) => goesOn || halt("cancelled"),
      () => halt("cancelled"),
    );
  });

  let hasSucceeded: boolean;
  try {
    hasSucceeded = await handle(stop);
  } finally {
    clearTimeout(timer);
  }
  if (stop.reason === undefined) return hasSucceeded ? "success" : "failure";

  const isTimeout = stop.reason === "timeout";
  const message = isTimeout
    ? `The action '${stepName}' has timed out after ${minutes} minutes.`
    : "The operation was canceled.";
  log.annotate({ level: "error", message });
  return isTimeout ? "failure" : "cancelled";
}

function stepGithub(step: StepDescription, running: RunningJob, token: string): Context {
  const files = commandFiles(running.place.paths.temp, token);
  return { ...running.github, action: step.id, action_ref: "", action_repository: "", ...files };
}

/** Entries of a step's `env` cannot see each other: they are evaluated with the `env` of the job. */
async function addStepEnv(
  env: { [name: string]: string },
  template: Template | undefined,
  scope: Scope,
): Promise<{ error: unknown } | undefined> {
  try {
    Object.assign(env, await readEnv(template, scope));
    return undefined;
  } catch (error) {
    if (isEndOfJob(error)) throw error;
    return { error };
  }
}

function statusFunctions({ state }: RunningJob): NonNullable<Scope["status"]> {
  return {
    success: () => state.status === "success",
    failure: () => state.status === "failure",
    cancelled: () => state.status === "cancelled",
  };
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

function failure(error: unknown, log: StepLog): "failure" {
  if (isEndOfJob(error)) throw error;
  log.annotate({ level: "error", message: messageOf(error) });
  return "failure";
}

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
