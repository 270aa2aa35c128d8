import { BerthError } from "../errors.ts";
import type { StepLog } from "../logs/step-log.ts";
import { onceOutside } from "./once-outside.ts";
import type { RunningJob } from "./running-job.ts";
import type { RunningService, ServiceSpec } from "./siblings.ts";

/** The step in which it happens. */
export type ServicesStep = { readonly log: StepLog; readonly signal: AbortSignal };

/**
 * Starts the services and waits until they are healthy: the step "Initialize containers". Gives the `job.services` context, empty
 * when the step was stopped meanwhile. A later life of the job starts nothing again.
 *
 * @throws {BerthError} `SERVICE_FAILED`, or what else the engine has to say, such as `IMAGE_NOT_FOUND`
 */
export async function initializeContainers(
  services: readonly ServiceSpec[],
  running: RunningJob,
  { log, signal }: ServicesStep,
): Promise<{ readonly [id: string]: RunningService }> {
  const { place, cancellation } = running;
  if (services.length === 0) return {};
  const stop = AbortSignal.any([signal, cancellation.tornDown]);

  return await onceOutside(running, async () => {
    checkServices(services, place);
    try {
      return (
        (await place.siblings?.startServices(services, { progress: log.write, signal: stop })) ?? {}
      );
    } catch (error) {
      // Who stopped it says so; what broke off in consequence is no news.
      if (stop.aborted) return {};
      throw error;
    }
  });
}

/** Prints the services' logs and removes them: the step "Stop containers". */
export async function stopContainers(
  running: RunningJob,
  { log, signal }: ServicesStep,
): Promise<void> {
  await onceOutside(running, async () => {
    await running.place.siblings?.stopServices({ progress: log.write, signal });
    return null;
  });
}

/**
 * Refuses services where there is no engine to run them.
 *
 * @throws {BerthError} `SERVICE_FAILED`
 */
export function checkServices(
  services: readonly ServiceSpec[],
  place: Pick<RunningJob["place"], "siblings">,
): void {
  if (services.length === 0 || place.siblings) return;
  throw new BerthError("SERVICE_FAILED", {
    message: `This job has services (${services.map(({ id }) => id).join(", ")}), and no container engine to run them: it runs on this machine itself.`,
    remedy: "Use --backend docker, or start what the job needs yourself and take `services:` out.",
  });
}
