import { setTimeout as sleep } from "node:timers/promises";
import type Docker from "dockerode";
import { BerthError } from "../../runner/errors.ts";
import { explainExit } from "../../runner/job/explain-exit.ts";
import type { SiblingOptions } from "../../runner/job/siblings.ts";
import { engineError } from "./engine-error.ts";
import { readLastLines } from "./services-log.ts";

/** A service whose container was started. */
export type StartedService = {
  readonly id: string;
  readonly image: string;
  readonly containerId: string;
};

/** The pauses between two looks at a health check: the first and the longest, in milliseconds. */
const PAUSE_MS = { first: 50, longest: 500 };

/** What GitHub's runner says it waits; it is said when GitHub would, and looked more often. */
const SAID_SECONDS = { first: 2, longest: 32 };

/**
 * Waits until every service with a health check is healthy. One without counts as healthy; if it has ended already, a warning says so.
 *
 * @throws {BerthError} `SERVICE_FAILED` when one is unhealthy or ended before; its log went to `progress`.
 */
export async function waitUntilReady(
  docker: Docker,
  services: readonly StartedService[],
  { progress, signal }: SiblingOptions,
): Promise<void> {
  progress("##[group]Waiting for all services to be ready");
  const hasFailed = new AbortController();
  const either = AbortSignal.any([signal, hasFailed.signal]);
  const failures = await Promise.all(
    services.map(async (service) => {
      try {
        const why = await waitForHealth(docker, service, { progress, signal: either });
        if (why === undefined) return [];
        hasFailed.abort();
        return [{ service, why }];
      } catch (error) {
        signal.throwIfAborted();
        if (hasFailed.signal.aborted) return [];
        throw engineError(error, `ask how the service ${service.id} is`);
      }
    }),
  );
  progress("##[endgroup]");

  for (const { service } of failures.flat()) {
    await printLog(docker, service, `Service container ${service.id} failed.`, {
      progress,
      signal,
    });
    progress(`##[error]Failed to initialize container ${service.image}`);
  }
  if (failures.flat().length > 0) throw serviceFailed(failures.flat());
}

/** Warns of services that have ended though nothing says that they failed. */
export async function warnOfEnded(
  docker: Docker,
  services: readonly StartedService[],
  options: SiblingOptions,
): Promise<void> {
  for (const service of services) {
    const { State: state } = await docker.getContainer(service.containerId).inspect();
    if (state.Running) continue;
    options.progress(
      `##[warning]The service '${service.id}' has ended already. ${whyEnded(state)}`,
    );
    await printLog(docker, service, `Log of the service ${service.id}`, options);
  }
}

/** Why it will not be healthy any more; `undefined` when it is healthy. */
async function waitForHealth(
  docker: Docker,
  { id, containerId }: StartedService,
  { progress, signal }: SiblingOptions,
): Promise<string | undefined> {
  let sayAtMs = performance.now();
  let saySeconds = SAID_SECONDS.first;
  for (let pauseMs = PAUSE_MS.first; ; pauseMs = Math.min(pauseMs * 1.5, PAUSE_MS.longest)) {
    const { State: state } = await docker.getContainer(containerId).inspect();
    const health = state.Health?.Status ?? "none";
    if (health === "none" || health === "") {
      progress(`${id} service is healthy.`);
      return undefined;
    }
    if (!state.Running) return `It ended before it was healthy. ${whyEnded(state)}`;
    if (health === "healthy") {
      progress(`${id} service is healthy.`);
      return undefined;
    }
    if (health === "unhealthy") return `It is unhealthy. ${lastProbe(state)}`;

    if (performance.now() >= sayAtMs) {
      progress(`${id} service is starting, waiting ${saySeconds} seconds before checking again.`);
      sayAtMs += saySeconds * 1000;
      saySeconds = Math.min(saySeconds * 2, SAID_SECONDS.longest);
    }
    await sleep(pauseMs, undefined, { signal });
  }
}

type State = Docker.ContainerInspectInfo["State"];

/** What is to be said of a container that has ended. */
export function whyEnded({ ExitCode: exitCode, OOMKilled: oomKilled, Error: said }: State): string {
  const explained = explainExit({ of: "container", exitCode, oomKilled });
  const exit =
    explained === undefined
      ? `Its exit code was ${exitCode}.`
      : `${explained.sentence} ${explained.remedy}`;
  return said === "" ? exit : `${exit} The engine said: ${said}`;
}

function lastProbe({ Health: health }: State): string {
  const probe = health?.Log?.at(-1);
  if (probe === undefined) return "";
  const output = probe.Output.trim().slice(0, 500);
  return `Its health check ended with ${probe.ExitCode}${output === "" ? " and said nothing." : `: ${output}`}`;
}

async function printLog(
  docker: Docker,
  { containerId }: StartedService,
  title: string,
  { progress, signal }: SiblingOptions,
): Promise<void> {
  progress(`##[group]${title}`);
  for (const line of await readLastLines(docker, containerId, signal)) progress(line);
  progress("##[endgroup]");
}

function serviceFailed(
  failures: readonly { readonly service: StartedService; readonly why: string }[],
): BerthError {
  const each = failures.map(
    ({ service, why }) => `Service '${service.id}' (${service.image}): ${why}`,
  );
  return new BerthError("SERVICE_FAILED", {
    message: ["One or more containers failed to start.", ...each].join(" ").trim(),
    remedy: "Its log is above; see its image, its env and its --health-… options.",
  });
}
