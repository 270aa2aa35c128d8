import { setTimeout as sleep } from "node:timers/promises";
import type Docker from "dockerode";
import { engineError, statusOf } from "./engine-error.ts";

/** GitHub's runner waits this long after each signal (`ProcessInvoker.cs`). */
const AFTER_MS = { SIGINT: 7_500, SIGTERM: 2_500 } as const;

/**
 * Stops a container when `signal` is aborted as GitHub's runner stops a process, each stage cut short by the container's end; kills it when `kill`
 * is. `ended` is aborted by its end, after which nothing more is sent.
 *
 * @returns Settles soon after `ended` is aborted; rejects when the engine cannot be told.
 */
export async function stopWhenAborted(
  container: Docker.Container,
  { signal, kill, ended }: { signal: AbortSignal; kill: AbortSignal; ended: AbortSignal },
): Promise<void> {
  await aborted(AbortSignal.any([signal, kill, ended]));
  for (const stage of ["SIGINT", "SIGTERM"] as const) {
    if (kill.aborted || ended.aborted) break;
    await send(container, stage);
    const cut = AbortSignal.any([kill, ended]);
    await sleep(AFTER_MS[stage], undefined, { signal: cut }).catch(() => undefined);
  }
  if (!ended.aborted) await send(container, "SIGKILL");
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

async function send(container: Docker.Container, signal: string): Promise<void> {
  try {
    await container.kill({ signal });
  } catch (error) {
    // 409: it has ended meanwhile; 404: it was removed.
    if (statusOf(error) !== 409 && statusOf(error) !== 404) {
      throw engineError(error, "stop the container of the action");
    }
  }
}
