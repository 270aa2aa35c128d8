import type { Duplex } from "node:stream";
import { finished } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import type Docker from "dockerode";
import { BerthError } from "../../runner/errors.ts";
import type { Siblings, StepContainerSpec } from "../../runner/job/siblings.ts";
import type { ContainerBasics } from "./container-basics.ts";
import { readEnd } from "./container-end.ts";
import type { ContainerLease } from "./container-lease.ts";
import { readContainerLog } from "./container-shell.ts";
import { demultiplexer, type LogPiece } from "./demultiplex.ts";
import { linkSocket } from "./dind/job-dind.ts";
import { engineError, reasonOf, statusOf } from "./engine-error.ts";
import { jobLabels, type Labels } from "./labels.ts";
import { type Leak, removeContainer } from "./remove-objects.ts";
import { readSurroundings, stepContainerRequest } from "./step-container-request.ts";
import { stopWhenAborted } from "./stop-step-container.ts";

/** On the container of a docker action: its key. */
const STEP_LABEL = "io.berth.step";
const BUSY_PAUSE_MS = 50;
const CUT_PAUSE_MS = 500;
const CUT_PATIENCE_MS = 5 * 60_000;

export type StepContainersOptions = {
  readonly jobId: string;
  readonly runId: string;
  /** The job's own container. */
  readonly containerId: string;
  /** Of each container beside Berth's own. */
  readonly labels?: Labels | undefined;
  /** Holds for each container by itself. */
  readonly lease?: ContainerLease | undefined;
  readonly basics?: ContainerBasics | undefined;
  onLeak(leak: Leak): void;
};

type RunOptions = Parameters<Siblings["runContainer"]>[1];
type StepEnd = Awaited<ReturnType<Siblings["runContainer"]>>;

/** The containers of one job's docker actions, one at a time. They are found by their names, so that any life of the job finds them. */
export function stepContainers(
  docker: Docker,
  options: StepContainersOptions,
): Pick<Siblings, "runContainer" | "removeContainer"> {
  return {
    async runContainer(spec, run) {
      try {
        return await runContainer(docker, spec, { ...options, ...run });
      } catch (error) {
        run.signal.throwIfAborted();
        throw engineError(error, "run the container of the action");
      }
    },
    async removeContainer(key) {
      const id = containerName(options.jobId, key);
      await removeContainer(docker, id).catch((cause) =>
        options.onLeak({ kind: "container", id, cause }),
      );
    },
  };
}

/** With a dot, which no job's own name has: a step of the job `test` is no job `test-step-1`. */
function containerName(jobId: string, key: string): string {
  return `berth-${jobId}.step.${key}`.replace(/[^\w.-]+/g, "-");
}

type Work = StepContainersOptions & RunOptions;
type Heard = (piece: LogPiece) => void;

async function runContainer(docker: Docker, spec: StepContainerSpec, work: Work): Promise<StepEnd> {
  const found = await findStarted(docker, containerName(work.jobId, work.key));
  if (found !== undefined) return await follow(docker, found.container, found.follow, work);

  AbortSignal.any([work.signal, work.kill]).throwIfAborted();
  const surroundings = await readSurroundings(docker, work.containerId);
  const labels = {
    ...work.labels,
    ...jobLabels({ ...work, kind: "step" }),
    [STEP_LABEL]: work.key,
  };
  const name = containerName(work.jobId, work.key);
  // Takes no signal, since a request that is given up half-way leaves behind what nobody knows of.
  const container = await docker.createContainer(
    stepContainerRequest(spec, surroundings, {
      ...{ name, labels },
      lease: work.lease,
      basics: work.basics,
    }),
  );
  if (surroundings.hasDind) await linkSocket(container);
  AbortSignal.any([work.signal, work.kill]).throwIfAborted();
  const output = (await container.attach({
    stream: true,
    hijack: true,
    stdout: true,
    stderr: true,
  })) as Duplex;
  try {
    await container.start();
  } catch (error) {
    output.destroy();
    return notStarted(error, work);
  }
  return await follow(docker, container, (heard) => hear(output, heard), work);
}

/**
 * The container that an earlier life of the job started, and how to hear it from its beginning. One that was made and never started is removed: not
 * by force, since that life may be starting it at this moment.
 */
async function findStarted(
  docker: Docker,
  name: string,
): Promise<{ container: Docker.Container; follow: (heard: Heard) => Promise<void> } | undefined> {
  const container = docker.getContainer(name);
  for (;;) {
    try {
      const { Id: id, State: state } = await container.inspect();
      if (state.Status !== "created") {
        return {
          container: docker.getContainer(id),
          follow: (heard) => hearLog(docker, id, { follow: state.Running, heard }),
        };
      }
      await container.remove({ v: true });
    } catch (error) {
      if (statusOf(error) === 404) return undefined;
      if (statusOf(error) !== 409) throw error;
      await sleep(BUSY_PAUSE_MS); // that life starts it now, or the engine is about to remove it
    }
  }
}

/** Hears a started container to its end, stopping it when that is asked for. */
async function follow(
  docker: Docker,
  container: Docker.Container,
  hearAll: (heard: Heard) => Promise<void>,
  work: Work,
): Promise<StepEnd> {
  const ended = new AbortController();
  const stopping = stopWhenAborted(container, { ...work, ended: ended.signal });
  const ending = hearToItsEnd(docker, container, hearAll, work).finally(() => ended.abort());
  const [{ StatusCode: exitCode }] = await Promise.all([ending, stopping]);
  if (exitCode === 0) return { exitCode, oomKilled: false };

  const end = await readEnd(docker, container.id);
  if (end.state !== "ended") throw vanished(end.state);
  return { exitCode: end.exitCode, oomKilled: end.oomKilled };
}

/**
 * Hears a container until it has ended, over as many connections as it takes: one that was cut ends while the container runs on, or while its engine cannot
 * be asked. What was heard of each stream before is skipped in the log.
 */
async function hearToItsEnd(
  docker: Docker,
  container: Docker.Container,
  hearFirst: (heard: Heard) => Promise<void>,
  work: Work,
): Promise<{ StatusCode: number }> {
  const heardBytes = { stdout: 0, stderr: 0 };
  const onPiece: Heard = ({ stream, data }) => {
    heardBytes[stream] += data.length;
    work.onOutput(data);
  };
  const hearAgain = async () => {
    const known = { ...heardBytes };
    await hearLog(docker, container.id, {
      follow: true,
      heard({ stream, data }) {
        const skipped = Math.min(known[stream], data.length);
        known[stream] -= skipped;
        if (skipped < data.length) onPiece({ stream, data: data.subarray(skipped) });
      },
    });
  };

  let hear = () => hearFirst(onPiece);
  const hearing = overCuts(work, async () => {
    const now = hear;
    hear = hearAgain;
    await now();
    // A connection may also be cut without an error.
    while ((await readEnd(docker, container.id)).state === "running") await hearAgain();
  });
  const [end] = await Promise.all([overCuts(work, () => container.wait()), hearing]);
  return end;
}

/** Does something again that failed because the engine could not be reached, for as long as a job's own shell holds out. */
async function overCuts<T>({ kill }: Work, work: () => Promise<T>): Promise<T> {
  let cutAtMs: number | undefined;
  for (;;) {
    const beganAtMs = performance.now();
    try {
      return await work();
    } catch (error) {
      const isCut = engineError(error, "hear the container of the action").code === "ENGINE_LOST";
      const now = performance.now();
      if (cutAtMs === undefined || now - beganAtMs > CUT_PAUSE_MS) cutAtMs = now;
      if (!isCut || kill.aborted || now - cutAtMs > CUT_PATIENCE_MS) throw error;
      await sleep(CUT_PAUSE_MS);
    }
  }
}

/** Never stops reading: an attach client that does holds the container up. */
async function hear(output: Duplex, heard: Heard): Promise<void> {
  const pieces = demultiplexer();
  output.on("data", (chunk: Buffer) => {
    for (const piece of pieces(chunk)) heard(piece);
  });
  await finished(output, { writable: false }).finally(() => output.destroy());
}

async function hearLog(
  docker: Docker,
  id: string,
  { follow, heard }: { readonly follow: boolean; readonly heard: Heard },
): Promise<void> {
  const signal = new AbortController().signal; // its end is the container's, which stopping brings about
  for await (const piece of readContainerLog(docker, id, { follow, signal })) heard(piece);
}

/** As Docker's command line tells it: the engine's words, and 127 for a program that is missing, 126 for one that cannot be run. */
function notStarted(error: unknown, { onOutput }: Work): StepEnd {
  const said = reasonOf(error);
  const exitCode = /executable file not found|no such file or directory/i.test(said)
    ? 127
    : /permission denied|exec format error|is a directory/i.test(said)
      ? 126
      : undefined;
  if (statusOf(error) === undefined || exitCode === undefined || !/exec: /.test(said)) {
    throw engineError(error, "start the container of the action");
  }
  onOutput(Buffer.from(`${said}\n`));
  return { exitCode, oomKilled: false };
}

function vanished(state: "gone" | "running"): BerthError {
  return new BerthError("ENGINE_LOST", {
    message:
      state === "gone"
        ? "The container of the action was removed while it ran."
        : "The engine let go of the action's container, which still runs.",
    remedy: "See what else uses this engine, then run the job again.",
  });
}
