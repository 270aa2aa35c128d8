import { BerthError } from "../../runner/errors.ts";
import type { ContextPath } from "../../runner/expressions/context-paths.ts";
import { evaluateTemplate } from "../../runner/expressions/evaluate.ts";
import type { Json } from "../../runner/expressions/template.ts";
import { ancestorsOf } from "../../runner/workflow/select-jobs.ts";
import type { Workflow, WorkflowJob } from "../../runner/workflow/workflow.ts";
import type { RunSnapshot } from "./run-facts.ts";
import {
  expressionsIn,
  jobExpressions,
  planExpressions,
  printPlace,
  type UsedExpression,
} from "./used-expressions.ts";
import type { OwnedJob } from "./whose-jobs.ts";

export type MixedNeeds = {
  /** Jobs of Berth's and jobs of others that cannot work together, a sentence each. */
  readonly problems: readonly string[];
  /** By job id why it cannot run: those of `problems`, and jobs with an environment that need one of ours. */
  readonly blocked: { readonly [jobId: string]: string };
};

/**
 * GitHub never learns that our jobs ended, and its events do not tell outputs: a job of ours cannot use the outputs of one that runs
 * elsewhere, and GitHub never starts a job that needs one of ours.
 */
export async function findMixedNeeds(
  workflow: Workflow,
  jobs: ReadonlyMap<string, OwnedJob>,
  facts: RunSnapshot,
): Promise<MixedNeeds> {
  const ancestors = ancestorsOf(workflow.jobs);
  const byId = new Map(workflow.jobs.map((job) => [job.id, job]));
  const isElsewhere = (id: string) => ["hosted", "mixed"].includes(jobs.get(id)?.owner ?? "");
  const isOwn = (id: string) => jobs.get(id)?.owner !== "hosted";
  const ownNeed = (job: WorkflowJob) => [...(ancestors.get(job.id) ?? [])].find(isOwn);
  const problems: string[] = [];
  const blocked: { [jobId: string]: string } = {};
  const block = (job: WorkflowJob, reason: string) => {
    problems.push(reason);
    blocked[job.id] = reason;
  };

  for (const job of workflow.jobs) {
    const owner = jobs.get(job.id)?.owner;
    const need = ownNeed(job);
    if (!isOwn(job.id) || owner === "mixed") {
      if (need !== undefined) block(job, neverQueued(job, need, owner === "mixed"));
      if (owner !== "mixed") continue;
    }
    const unseen =
      outputsUsed(job, jobExpressions(job), isElsewhere) ??
      decidedElsewhere([...(ancestors.get(job.id) ?? [])].flatMap((id) => byId.get(id) ?? []));
    if (unseen !== undefined) block(job, unseen);
    else if (need !== undefined && blocked[job.id] === undefined) {
      if (await hasEnvironment(job, facts)) blocked[job.id] = neverApproved(job, need);
    }
  }
  return { problems, blocked };

  /** Of jobs that run elsewhere one whose turn we cannot tell, since that depends on outputs we do not see. */
  function decidedElsewhere(needed: readonly WorkflowJob[]): string | undefined {
    const elsewhere = needed.filter(({ id }) => !isOwn(id));
    return elsewhere
      .map((job) => outputsUsed(job, planExpressions(job), isElsewhere))
      .find((reason) => reason !== undefined);
  }
}

function outputsUsed(
  job: WorkflowJob,
  expressions: readonly UsedExpression[],
  isElsewhere: (id: string) => boolean,
): string | undefined {
  for (const { paths, text, at } of expressions) {
    for (const path of paths) {
      const source = job.needs.filter(isElsewhere).find((id) => readsOutputs(path, id));
      if (source === undefined) continue;
      return `${printPlace(at)}: job '${job.id}' uses outputs of '${source}' in \${{ ${text} }}; that job does not run on Berth, and GitHub does not tell its outputs.`;
    }
  }
  return undefined;
}

function readsOutputs([context, job, field]: ContextPath, id: string): boolean {
  if (context !== "needs") return false;
  if (job !== undefined && job !== "*" && job !== id.toLowerCase()) return false;
  return field === undefined || field === "*" || field === "outputs";
}

function neverQueued(job: WorkflowJob, need: string, isMixed: boolean): string {
  const who = isMixed ? `some legs of job '${job.id}' do` : `job '${job.id}' does`;
  return `${printPlace(job.at)}: ${who} not run on Berth and ${isMixed ? "need" : "needs"} '${need}', which does; GitHub never learns that '${need}' ended, so it never starts ${isMixed ? "them" : "it"}.`;
}

function neverApproved(job: WorkflowJob, need: string): string {
  return `${printPlace(job.at)}: job '${job.id}' has an environment, so only GitHub may start it, after its reviewers and timers; but it needs '${need}', and GitHub never learns that '${need}' ended. Give '${job.id}' no environment, or no need of a job that runs on Berth.`;
}

/** Whether `environment` names one; an expression can come to nothing. */
async function hasEnvironment(
  { environment, at }: WorkflowJob,
  { github, inputs, vars }: RunSnapshot,
): Promise<boolean> {
  if (environment === undefined || environment === null || environment === "") return false;
  const name =
    typeof environment === "object" && "map" in environment
      ? (environment.map.find(([key]) => key === "name")?.[1] ?? environment)
      : environment;
  const known = ["github", "inputs", "vars"];
  const isKnown = expressionsIn([name], at).every(({ paths }) =>
    paths.every(([context]) => known.includes(context)),
  );
  if (!isKnown) return true;
  try {
    const value: Json = await evaluateTemplate(name, { contexts: { github, inputs, vars } });
    return value !== "" && value !== null;
  } catch (error) {
    if (error instanceof BerthError) return true; // it fails its job when its turn comes
    throw error;
  }
}
