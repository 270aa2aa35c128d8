import { hostname } from "node:os";
import type { ActionRepository } from "../actions/action-source.ts";
import { BerthError } from "../errors.ts";
import { evaluateTemplate, type Scope, toText } from "../expressions/evaluate.ts";
import type { Template } from "../expressions/template.ts";
import type { Masker } from "../logs/mask.ts";
import { createMatcherRegistry } from "../logs/match-problems.ts";
import type { StepLog } from "../logs/step-log.ts";
import { readEnv } from "../steps/read-env.ts";
import type { JobPlaceRequest } from "./container-spec.ts";
import {
  type Context,
  eventFile,
  githubContext,
  isDebugging,
  jobContext,
  plannedGithubContext,
  plannedRunnerContext,
  runnerContext,
  runnerName,
} from "./contexts.ts";
import { pinsOf } from "./job-actions.ts";
import type { JobDescription } from "./job-description.ts";
import type { StepReport } from "./job-report.ts";
import type { JobState } from "./job-state.ts";
import { readContainer, readServices } from "./read-container.ts";
import { type RunningJob, runCommand, type SharedByJob } from "./running-job.ts";
import type { ServiceSpec } from "./siblings.ts";

/** What "Set up job" knows before there is a place. */
export type SetUpPlan = {
  readonly request: JobPlaceRequest;
  readonly services: readonly ServiceSpec[];
};

/**
 * The first half of "Set up job": says what will run, evaluates what the job's place and all steps depend on.
 *
 * @throws {BerthError} when an expression fails or the job asks for what cannot be done.
 */
export async function planJob(
  job: JobDescription,
  {
    state,
    log,
    masker,
    version,
  }: { state: JobState; log: StepLog; masker: Masker; version: string | undefined },
): Promise<SetUpPlan> {
  log.write(introduction(job, version));
  const github = plannedGithubContext(job);
  const withEnv = await evaluateJobEnv(job, { github, state });
  const forContainers: Scope = {
    contexts: {
      ...withEnv.contexts,
      runner: plannedRunnerContext(job),
      job: () => ({ status: state.status }),
    },
  };
  const services = await readServices(job.services, { scope: forContainers, note: log.write });
  const container = await readContainer(job.container, forContainers);
  for (const spec of [...services, container]) masker.add(spec?.credentials?.password ?? "");

  const repository = toText(github.repository ?? null);
  const request: JobPlaceRequest = {
    jobId: job.id,
    runId: job.runId,
    repository: repository.slice(repository.lastIndexOf("/") + 1) || "workspace",
    labels: job.labels,
    ...(container ? { container } : {}),
  };
  return { request, services };
}

/** Evaluates `env` of workflow and job into the job's state; the scope of what may refer to it. */
async function evaluateJobEnv(
  job: JobDescription,
  { github, state }: { readonly github: Context; readonly state: JobState },
): Promise<Scope> {
  const { secrets } = job;
  const { needs, strategy, matrix, inputs, vars } = job.contexts;
  const contexts = { github, inputs, vars, needs, strategy, matrix, secrets };
  for (const env of job.env) {
    for (const [name, value] of Object.entries(await readEnv(env, { contexts })))
      state.setEnv(name, value);
  }
  return { contexts: { ...contexts, env: () => state.env } };
}

/**
 * The second half: makes the place ready for the first step, in one round trip, and puts together what steps share.
 *
 * @throws {BerthError} `SETUP_FAILED` when the folders of the job cannot be made.
 */
export async function setUpJob(
  { request, services, fetched }: SetUpPlan & { fetched: readonly ActionRepository[] },
  shared: SharedByJob,
  step: StepReport,
): Promise<Omit<RunningJob, "end">> {
  const { job, place } = shared;
  const { workspace, temp, toolCache, actions, home } = place.paths;
  const inJobContainer = request.container !== undefined;
  let number = 0;
  const github = githubContext(job, place);
  // Once more, now that there is a workspace, whose path they may hold.
  const defaults = await readDefaults(
    job,
    await evaluateJobEnv(job, { github, state: shared.state }),
  );
  const running = {
    ...shared,
    matchers: createMatcherRegistry(),
    isDebugging: isDebugging(job),
    inJobContainer,
    trackingId: `github_${job.id}`,
    github,
    runner: runnerContext(job, place),
    jobContext: jobContext(job, place, {
      container: inJobContainer,
      services: services.length > 0,
    }),
    defaults,
    services,
    nextNumber: () => ++number,
  };

  const folders = [workspace, temp, `${temp}/_runner_file_commands`, toolCache, actions];
  const event = JSON.stringify(job.contexts.github.event ?? {}, null, 2);
  const printed: Buffer[] = [];
  const result = await runCommand(
    running,
    {
      argv: ["mkdir", "-p", ...folders, ...(home ? [home] : [])],
      cwd: "/",
      env: {},
      write: [{ path: eventFile(place), content: event }],
    },
    { onOutput: (chunk) => void printed.push(chunk), notes: () => pinsOf(fetched) },
  );
  if (!result.started || result.exitCode !== 0)
    throw notPrepared(Buffer.concat(printed).toString());
  step.log.write(`Complete job name: ${job.name}`);
  step.finished("success", "success");
  return running;
}

function introduction(job: JobDescription, version: string | undefined): string {
  const scopes = Object.entries(job.permissions ?? {});
  const source = job.contexts.github.secret_source ?? "Actions";
  return [
    ...(version ? [`Current runner version: '${version}'`] : []),
    `Runner name: '${runnerName(job)}'`,
    "Runner group name: 'Default'",
    `Machine name: '${hostname()}'`,
    ...(scopes.length > 0 ? ["##[group]GITHUB_TOKEN Permissions"] : []),
    ...scopes.map(([scope, level]) => `${scopeName(scope)}: ${level}`),
    ...(scopes.length > 0 ? ["##[endgroup]"] : []),
    `Secret source: ${toText(source)}`,
  ].join("\n");
}

/** `pull-requests` as GitHub prints it: `PullRequests`. */
function scopeName(scope: string): string {
  return scope.replace(/(?:^|-)([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

async function readDefaults(job: JobDescription, scope: Scope): Promise<RunningJob["defaults"]> {
  const shell = await textOf(job.defaults.shell, scope);
  const workingDirectory = await textOf(job.defaults.workingDirectory, scope);
  return {
    ...(shell ? { shell } : {}),
    ...(workingDirectory ? { workingDirectory } : {}),
  };
}

async function textOf(template: Template | undefined, scope: Scope): Promise<string> {
  return toText(await evaluateTemplate(template ?? null, scope));
}

function notPrepared(output: string): BerthError {
  return new BerthError("SETUP_FAILED", {
    message: `The job's folders could not be made: ${output.trim() || "mkdir did not start"}.`,
    remedy: "See that the image's user may write to the workspace, and that the disk is not full.",
  });
}
