import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import type Docker from "dockerode";
import { engineError, statusOf } from "./engine-error.ts";

/** How a container stands, or what became of it. */
export type ContainerEnd =
  | { readonly state: "running"; readonly oomKilled: boolean }
  | { readonly state: "gone" }
  | {
      readonly state: "ended";
      readonly exitCode: number;
      /** The kernel ended one of its processes for want of memory. */
      readonly oomKilled: boolean;
      /** The engine's own words, empty when it had none. */
      readonly error: string;
    };

/** 128 and SIGKILL. */
const KILLED = 137;
const LATE_EVENT_MS = 500;

/** @throws {BerthError} `ENGINE_LOST`, `ENGINE_REFUSED` */
export async function readEnd(docker: Docker, containerId: string): Promise<ContainerEnd> {
  try {
    const end = await readOnce(docker, containerId);
    if (end.state !== "ended" || end.exitCode !== KILLED || end.oomKilled) return end;
    // A busy engine hears of the kill before it hears why.
    await sleep(LATE_EVENT_MS);
    return await readOnce(docker, containerId);
  } catch (error) {
    if (statusOf(error) === 404) return { state: "gone" };
    throw engineError(error, "inspect the container");
  }
}

async function readOnce(docker: Docker, containerId: string): Promise<ContainerEnd> {
  const { State: state, Created: created } = await docker.getContainer(containerId).inspect();
  const oomKilled = state.OOMKilled || (await hadOutOfMemory(docker, containerId, created));
  if (state.Running) return { state: "running", oomKilled };
  return { state: "ended", exitCode: state.ExitCode, oomKilled, error: state.Error };
}

/** The engine sets its flag only when the container itself ends; its event tells of a step that was killed before. */
async function hadOutOfMemory(
  docker: Docker,
  containerId: string,
  since: string,
): Promise<boolean> {
  const events = await docker.getEvents({
    since: Math.floor(Date.parse(since) / 1000),
    until: Math.ceil(Date.now() / 1000),
    filters: { container: [containerId], event: ["oom"] },
  });
  return (await text(events)).trim() !== "";
}
