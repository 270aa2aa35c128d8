import type Docker from "dockerode";
import { BerthError } from "../../../runner/errors.ts";
import { readEnd } from "../container-end.ts";
import { readContainerLog } from "../container-shell.ts";
import { reasonOf } from "../engine-error.ts";
import type { DindMode } from "./dind-request.ts";
import { DIND_FAILED, DIND_READY } from "./dind-script.ts";

const PATIENCE_MS = 60_000;
/** Beyond this a daemon's last words are not what it died of. */
const LAST_LINES = 15;

/**
 * Starts a daemon's container, which exists, and waits until the daemon answers.
 *
 * @param options `until` is the line of its log that is awaited. `remedy` says what to do where the mode does not do.
 * @throws {BerthError} `DIND_UNUSABLE` with the end of its log.
 */
export async function startDind(
  docker: Docker,
  container: Docker.Container,
  {
    mode,
    remedy,
    until = DIND_READY,
    signal,
  }: {
    readonly mode: DindMode;
    readonly remedy: string;
    readonly until?: string;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  try {
    await container.start();
  } catch (cause) {
    throw unusable(mode, { why: reasonOf(cause), remedy, cause });
  }
  const patience = AbortSignal.timeout(PATIENCE_MS);
  const lastLines: string[] = [];
  try {
    for await (const line of logLines(docker, container.id, AbortSignal.any([signal, patience]))) {
      if (line === until) return;
      if (line.startsWith(DIND_FAILED)) {
        throw unusable(mode, { why: `N${line.slice("berth-dind: n".length)}`, remedy });
      }
      if (line !== DIND_READY && lastLines.push(line) > LAST_LINES) lastLines.shift();
    }
  } catch (error) {
    signal.throwIfAborted();
    if (!patience.aborted) throw error;
  }
  const end = await readEnd(docker, container.id);
  const why = endedHow(end);
  throw unusable(mode, { why: [why, ...lastLines].join("\n"), remedy });
}

function endedHow(end: Awaited<ReturnType<typeof readEnd>>): string {
  switch (end.state) {
    case "running":
      return `It did not answer within ${PATIENCE_MS / 1000} seconds. Its log:`;
    case "gone":
      return "Its container was removed.";
    case "ended":
      return end.oomKilled
        ? "It ran out of the job's memory. Its log:"
        : `It ended with exit code ${end.exitCode}. Its log:`;
    default:
      return end satisfies never;
  }
}

async function* logLines(
  docker: Docker,
  id: string,
  signal: AbortSignal,
): AsyncGenerator<string, void> {
  let rest = "";
  for await (const { data } of readContainerLog(docker, id, { follow: true, signal })) {
    const lines = (rest + data.toString("utf8")).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
  if (rest !== "") yield rest;
}

function unusable(
  mode: DindMode,
  {
    why,
    remedy,
    cause,
  }: { readonly why: string; readonly remedy: string; readonly cause?: unknown },
): BerthError {
  return new BerthError("DIND_UNUSABLE", {
    message: `The job's own Docker daemon (${mode}) could not be started. ${why}`,
    remedy,
    cause,
  });
}
