import { createHash } from "node:crypto";
import { dirname } from "node:path/posix";
import type { Json } from "../expressions/template.ts";
import type { JobPlace } from "./execute-job.ts";
import type { JobDescription } from "./job-description.ts";

/** A context: its members by name. */
export type Context = { readonly [name: string]: Json };

/** The `github` context before there is a place: as the planner knows it, with the token. */
export function plannedGithubContext(job: JobDescription): Context {
  return {
    ...job.contexts.github,
    job: job.contexts.github.job ?? job.job,
    token: job.secrets.GITHUB_TOKEN ?? "",
  };
}

/** The `github` context of a job that has its place; what differs per step is added there. */
export function githubContext(job: JobDescription, place: JobPlace): Context {
  return {
    ...plannedGithubContext(job),
    workspace: place.paths.workspace,
    event_path: eventFile(place),
  };
}

/** Where `github.event` lies as a file. */
export function eventFile(place: JobPlace): string {
  return place.paths.eventFile ?? `${place.paths.temp}/_github_workflow/event.json`;
}

/** The `runner` context. Its values must be the same in every life of a job: steps are typed with them. */
export function runnerContext(job: JobDescription, place: JobPlace): Context {
  return {
    ...plannedRunnerContext(job),
    arch: ARCHITECTURES[place.shell.facts.arch] ?? place.shell.facts.arch.toUpperCase(),
    temp: place.paths.temp,
    tool_cache: place.paths.toolCache,
    workspace: dirname(place.paths.workspace),
  };
}

/** The `runner` context before there is a place: what the containers that make the place may be told. */
export function plannedRunnerContext(job: JobDescription): Context {
  return {
    name: runnerName(job),
    os: "Linux",
    environment: "self-hosted",
    ...(isDebugging(job) ? { debug: "1" } : {}),
  };
}

/** One job, one runner: its name is the job's. */
export function runnerName(job: JobDescription): string {
  return `berth-${job.id}`;
}

/**
 * The `job` context without `services` and `status`. As on GitHub's runner, where such a job has no container, `container` is absent from one
 * that asks for none: actions go by that.
 */
export function jobContext(
  job: JobDescription,
  place: JobPlace,
  asked: { readonly container: boolean; readonly services: boolean },
): Context {
  const { github } = job.contexts;
  const container = {
    ...(asked.container && place.containerId ? { id: place.containerId } : {}),
    ...(place.networkId ? { network: place.networkId } : {}),
  };
  return {
    ...(asked.container || asked.services ? { container } : {}),
    workflow_ref: github.workflow_ref ?? "",
    workflow_sha: github.workflow_sha ?? "",
    workflow_repository: github.repository ?? "",
    workflow_file_path: job.workflowFile,
  };
}

/** Step debugging, as a secret or variable turns it on. */
export function isDebugging(job: JobDescription): boolean {
  const { vars } = job.contexts;
  const variable =
    vars !== null && typeof vars === "object" && "ACTIONS_STEP_DEBUG" in vars
      ? vars.ACTIONS_STEP_DEBUG
      : undefined;
  return String(job.secrets.ACTIONS_STEP_DEBUG ?? variable).toLowerCase() === "true";
}

/**
 * A name for file `number` of a job: hard to guess for other jobs, yet the same in every life of this one, because what is
 * typed must be.
 */
export function fileToken(job: JobDescription, number: number): string {
  return createHash("sha256").update(`${job.id}\n${number}`).digest("hex").slice(0, 8);
}

const ARCHITECTURES: { readonly [machine: string]: string } = {
  x86_64: "X64",
  amd64: "X64",
  aarch64: "ARM64",
  arm64: "ARM64",
  i386: "X86",
  i686: "X86",
  armv6l: "ARM",
  armv7l: "ARM",
};
