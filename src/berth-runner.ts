import { randomBytes } from "node:crypto";
import { availableParallelism, hostname } from "node:os";
import type { Json } from "../runner/expressions/template.ts";
import type { ExecuteJobDeps } from "../runner/job/execute-job.ts";
import type { Conclusion } from "../runner/job/job-description.ts";
import { openLocalPlace } from "../runner/job/local-place.ts";
import { findUnsupported, notSupportedYet } from "../runner/workflow/find-unsupported.ts";
import { createRunSlots } from "../runner/workflow/run-plan.ts";
import { selectJobs } from "../runner/workflow/select-jobs.ts";
import type { WorkflowJob } from "../runner/workflow/workflow.ts";
import { actionServer } from "./cli/action-server.ts";
import { chooseImage } from "./cli/choose-image.ts";
import { eventPayload } from "./cli/event/event-payload.ts";
import { readRepository } from "./cli/event/read-repository.ts";
import { readLocalActions } from "./cli/read-local-actions.ts";
import { checkUrl, type RunRequest } from "./cli/read-run-request.ts";
import { prepareRun, runWorkflow } from "./cli/run-workflow.ts";
import { thisMachine } from "./cli/this-machine.ts";
import type { RunEvent } from "./cli/view/run-event.ts";
import { containerPlaces } from "./container-places.ts";
import { connectEngine } from "./containers/connect-engine.ts";
import { collectGarbage } from "./containers/gc.ts";
import { prepareImages } from "./hosts/prepare-machine.ts";
import { type JobSource, readJobSource } from "./job-source.ts";
import { openActionSource } from "./open-action-source.ts";
import { RunLog } from "./run-log.ts";

export type { ErrorCode } from "../runner/errors.ts";
export { BerthError } from "../runner/errors.ts";
export type { Json } from "../runner/expressions/template.ts";
export type { Conclusion } from "../runner/job/job-description.ts";
export type { Annotation, JobEvent } from "../runner/job/job-event.ts";
export type { RunEvent } from "./cli/view/run-event.ts";
export { PodAnswer as ContainerAnswer } from "./containers/pods/pod-answer.ts";
export type { PodRequest as ContainerRequest } from "./containers/pods/pod-request.ts";
export {
  ContainerSettings,
  NetworkSettings,
  ResourceSettings,
  VolumeSettings,
} from "./containers/settings.ts";
export { settingsToSpec } from "./containers/settings-to-spec.ts";
export type { JobSource } from "./job-source.ts";
export {
  type ContainerHost,
  type CreateContainerOptions,
  createContainer,
  type RemovedContainer,
  removeContainer,
} from "./library-containers.ts";
export type { FaultSettings } from "./localhub/faults.ts";
export type { HubEvent } from "./localhub/hub-event.ts";
export type { LocalHubOptions } from "./localhub/hub-options.ts";
export type { HubCheckRun, HubJob, HubRun, LocalHub } from "./localhub/local-hub.ts";
export { startLocalHub } from "./localhub/start-local-hub.ts";

export type ExecuteJobOptions = {
  /** The `inputs` context. */
  readonly inputs?: { readonly [name: string]: string | number | boolean };
  readonly secrets?: { readonly [name: string]: string };
  readonly vars?: { readonly [name: string]: string };
  /** Environment variables below those of the workflow and the job. */
  readonly env?: { readonly [name: string]: string };
  /** Which job of a workflow with several. What it needs is run before it. */
  readonly job?: string;
  /** Groups what belongs together, for `cleanup`; a new one when left out. Letters, digits, `.`, `_`, `-`. */
  readonly runId?: string;
  /** Cancels the job as a user would: clean-up steps still run. */
  readonly signal?: AbortSignal;
  /** Ends the job at once, without its clean-up steps; its container goes all the same. */
  readonly kill?: AbortSignal;
  /** `local` runs on this machine without a container and isolates nothing. Default `docker`. */
  readonly backend?: "docker" | "local";
  /** The engine, as `DOCKER_HOST`; found as by `berth run` when left out. */
  readonly docker?: string;
  /** The image of a job without `container:`; Berth's own job image, built when needed, when left out. */
  readonly image?: string;
  /** The folder whose repository fills the `github` context; the current folder when left out. */
  readonly folder?: string;
  /** The event and its payload for the `github` context; `workflow_dispatch` when left out. */
  readonly event?: { readonly name: string; readonly payload?: { readonly [key: string]: Json } };
  /** For downloading actions, and `secrets.GITHUB_TOKEN`; that secret when left out. */
  readonly token?: string;
  /** The GitHub that actions come from; github.com when left out, or that of the folder's remote where it is one of GitHub's own. */
  readonly githubUrl?: string;
  /** Its API; derived from `githubUrl` when left out. */
  readonly apiUrl?: string;
  /** Folders in place of actions: `{ "OWNER/REPO[/PATH]@REF": "folder" }`. */
  readonly localActions?: { readonly [reference: string]: string };
  /** Lets `actions/checkout` get the folder's own repository too; else that is a copy of the working tree. */
  readonly realCheckout?: boolean;
  /** Hears everything while it happens, the log included. */
  onEvent?(event: RunEvent): void;
  /** Hears about what goes on around the job: images being built, objects that could not be removed. */
  onNote?(line: string): void;
};

export type ExecutedJob = {
  readonly runId: string;
  readonly conclusion: Conclusion;
  readonly outputs: { readonly [name: string]: string };
  /** What its jobs printed, masked, at most the last 16 MiB of it. */
  readonly log: string;
  /** Why it did not succeed, where more is known than that a step failed. */
  readonly reason?: string;
};

/**
 * Runs a job as `berth run` would: in a fresh container, which is gone when this returns. A job with a matrix
 * runs all its legs.
 *
 * @throws {BerthError} When the job cannot be run at all. A job that fails has a conclusion.
 */
export async function executeJob(
  job: JobSource,
  options: ExecuteJobOptions = {},
): Promise<ExecutedJob> {
  const { signal = new AbortController().signal, kill = new AbortController().signal } = options;
  const { workflow, id } = readJobSource(job, { id: options.job });
  const jobs = selectJobs(workflow, [id]);
  const unsupported = findUnsupported(workflow, jobs);
  if (unsupported.length > 0) throw notSupportedYet(unsupported);

  const facts = await readRepository(options.folder ?? process.cwd());
  const eventName = options.event?.name ?? "workflow_dispatch";
  const given = {
    name: eventName,
    payload: options.event?.payload ?? {},
    actor: facts.userName,
    inputs: {},
  };
  const event = eventPayload({ ...given, given: given.payload }, facts);
  const { inputs = null } = options;
  const request = await readRequest(options, given);
  const run = await prepareRun(
    { workflow, eventName, event, inputs, onlyJobs: [id] },
    {
      request,
      facts,
      stateFolder: thisMachine({}).stateDir,
      runId: options.runId,
    },
  );

  await using actions = openActionSource({
    server: actionServer(request, facts.serverUrl),
    localActions: request.localActions,
    stateFolder: thisMachine({}).stateDir,
  });
  const log = new RunLog();
  let reason: string | undefined;
  const { jobs: ended } = await runWorkflow(run, {
    slots: createRunSlots(availableParallelism()),
    openPlace: await placesFor(options, { needsNode: jobs.some(needsNode), signal }),
    actions,
    ...(options.runId !== undefined && { jobSuffix: randomBytes(4).toString("hex") }),
    show(told) {
      if (told.type !== "run_started" && told.type !== "run_finished") log.add(told);
      if (told.type === "job_finished" && told.job === id) reason ??= told.reason;
      options.onEvent?.(told);
    },
    onJobEnd: () => {},
    signals: { cancel: signal, kill },
  });
  const outcome = ended[id];
  return {
    runId: run.id,
    conclusion: outcome?.result ?? "skipped",
    outputs: outcome?.outputs ?? {},
    log: log.text,
    ...(reason !== undefined && { reason }),
  };
}

async function readRequest(
  options: ExecuteJobOptions,
  event: RunRequest["event"],
): Promise<RunRequest> {
  const { secrets = {}, vars = {}, env = {}, githubUrl, apiUrl, realCheckout = false } = options;
  const token = options.token ?? secrets.GITHUB_TOKEN;
  const locals = Object.entries(options.localActions ?? {}).map((pair) => pair.join("="));
  return {
    event,
    secrets: { ...secrets, ...(token !== undefined && { GITHUB_TOKEN: token }) },
    vars,
    env,
    images: new Map(),
    matrixFilter: {},
    ...(githubUrl !== undefined && { githubUrl: checkUrl("githubUrl", githubUrl) }),
    ...(apiUrl !== undefined && { apiUrl: checkUrl("apiUrl", apiUrl) }),
    ...(token !== undefined && { token }),
    localActions: await readLocalActions(locals, [], { cwd: process.cwd(), flag: "localActions:" }),
    realCheckout,
  };
}

async function placesFor(
  { backend = "docker", docker, image, onNote = () => {} }: ExecuteJobOptions,
  { needsNode, signal }: { readonly needsNode: boolean; readonly signal: AbortSignal },
): Promise<ExecuteJobDeps["openPlace"]> {
  if (backend === "local") {
    const { env } = process;
    return (request, opening) => openLocalPlace(request, { ...opening, env });
  }
  const connect = thisMachine({ docker });
  const engine = await connectEngine(connect);
  const report = (event: { type: string; name: string; line?: string }) =>
    onNote([event.name, event.line ?? event.type].join(": "));
  const preparing =
    image === undefined || needsNode
      ? prepareImages(engine, [], { connect, report, signal })
      : undefined;
  const machine = await preparing?.catch((error: unknown) => {
    if (image === undefined || signal.aborted) throw error;
    onNote(`JavaScript actions and services on localhost cannot be had: ${String(error)}`);
    return undefined;
  });
  return containerPlaces({
    engine,
    hostName: hostname(),
    nodeVolume: machine?.nodeVolume,
    jobImage: machine?.jobImage,
    imageFor: (labels) => chooseImage(labels, new Map()) ?? image ?? machine?.jobImage ?? "",
    onLeak: ({ kind, id }) => onNote(`The ${kind} ${id} could not be removed.`),
  });
}

/** Whether a job may want what comes with the job image: Node for actions, what puts services on its localhost. */
function needsNode({ services, steps }: WorkflowJob): boolean {
  return services !== undefined || steps.some(({ kind }) => kind === "uses");
}

/** An object of the engine that belonged to a job. */
export type LeftObject = {
  readonly kind: "container" | "network" | "volume";
  readonly id: string;
};

/**
 * Removes everything that a run left in the engine, such as that of a process that was killed; without `runId` what
 * any dead process left. Mind that with `runId` a run that still goes on loses its containers.
 *
 * @throws {BerthError} `ENGINE_NOT_FOUND`, `ENGINE_LOST`, `ENGINE_REFUSED`
 */
export async function cleanup({
  runId,
  docker: endpoint,
}: {
  readonly runId?: string;
  readonly docker?: string;
} = {}): Promise<{ removed: LeftObject[]; failed: (LeftObject & { readonly cause: unknown })[] }> {
  const { docker } = await connectEngine(thisMachine({ docker: endpoint }));
  const { removed, leaks } = await collectGarbage(
    docker,
    runId === undefined ? {} : { run: runId, isAlive: () => false },
  );
  return { removed, failed: leaks };
}
