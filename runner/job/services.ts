import { BerthError } from "../errors.ts";
import type { StepLog } from "../logs/step-log.ts";
import type { RunningJob } from "./running-job.ts";
import type { RunningService, ServiceSpec } from "./siblings.ts";

/** The step in which it happens. */
export type ServicesStep = { readonly log: StepLog; readonly signal: AbortSignal };

/**
 * Starts the services and waits until they are healthy: the step "Initialize containers". Gives the `job.services` context.
 *
 * @throws {BerthError} `SERVICE_FAILED`
 */
export async function initializeContainers(
  _services: readonly ServiceSpec[],
  _running: RunningJob,
  _step: ServicesStep,
): Promise<{ readonly [id: string]: RunningService }> {
  throw new BerthError("NOT_SUPPORTED_YET", {
    message: "This version cannot start `services:` yet.",
    remedy: "Start the service in a step of the job, or leave it out.",
  });
}

/** Prints the services' logs and removes them: the step "Stop containers". */
export async function stopContainers(_running: RunningJob, _step: ServicesStep): Promise<void> {
  throw new BerthError("NOT_SUPPORTED_YET", {
    message: "This version cannot start `services:` yet.",
  });
}
