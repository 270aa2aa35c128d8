import { BerthError } from "../../runner/errors.ts";
import { evaluateTemplate, type Scope, toText } from "../../runner/expressions/evaluate.ts";
import type { Template } from "../../runner/expressions/template.ts";
import { readLabels, resolveStrategy, type Strategy } from "../../runner/workflow/describe-job.ts";
import { nameJob } from "../../runner/workflow/job-name.ts";
import type { Workflow, WorkflowJob } from "../../runner/workflow/workflow.ts";
import type { RunSnapshot } from "./run-facts.ts";
import { expressionsIn } from "./used-expressions.ts";

/** `unknown`: its labels depend on what other jobs will put out. `mixed`: some of its legs are ours, others not. */
export type Owner = "ours" | "hosted" | "unknown" | "mixed";

export type OwnedJob = {
  readonly owner: Owner;
  /** Of its legs, as GitHub prints them; empty where they depend on other jobs. */
  readonly names: readonly string[];
};

type PlanContexts = Pick<RunSnapshot, "github" | "inputs" | "vars">;

/** Whose each job of a workflow is, by job id, as far as that can be told before any has run. A called workflow is `hosted`. */
export async function whoseJobs(
  workflow: Workflow,
  { github, inputs, vars }: PlanContexts,
  isOurs: (labels: readonly string[]) => boolean,
): Promise<ReadonlyMap<string, OwnedJob>> {
  const contexts = { github, inputs, vars, needs: {} };
  const owned = await Promise.all(
    workflow.jobs.map(async (job) => [job.id, await ownerOf(job, contexts, isOurs)] as const),
  );
  return new Map(owned);
}

async function ownerOf(
  job: WorkflowJob,
  contexts: Scope["contexts"],
  isOurs: (labels: readonly string[]) => boolean,
): Promise<OwnedJob> {
  if (job.call) return { owner: "hosted", names: [] };
  try {
    const areLegsKnown = !reads(job.strategy, ["needs"]);
    const dependsOnLeg = reads(job.runsOn, ["matrix", "strategy"]);
    if (reads(job.runsOn, ["needs"]) || (dependsOnLeg && !areLegsKnown)) {
      return { owner: "unknown", names: [] };
    }
    const scopes = areLegsKnown ? await legScopes(job, contexts) : [{ scope: { contexts } }];
    const owners = new Set<boolean>();
    for (const { scope } of scopes) {
      const labels = readLabels(job, await evaluateTemplate(job.runsOn ?? null, scope));
      owners.add(labels.length > 0 && isOurs(labels));
    }
    const owner = owners.size > 1 ? "mixed" : owners.has(true) ? "ours" : "hosted";
    const areNamesKnown = areLegsKnown && !reads(job.name, ["needs"]);
    return { owner, names: areNamesKnown ? await namesOf(job, scopes) : [] };
  } catch (error) {
    // What is wrong with an expression fails its job when its turn comes.
    if (error instanceof BerthError) return { owner: "unknown", names: [] };
    throw error;
  }
}

type LegScope = { readonly scope: Scope; readonly leg?: Strategy["legs"][number]["leg"] };

async function legScopes(job: WorkflowJob, contexts: Scope["contexts"]): Promise<LegScope[]> {
  const { legs, failFast, maxParallel } = await resolveStrategy(job, contexts);
  return legs.map(({ index, leg }) => {
    const strategy = {
      "fail-fast": failFast,
      "job-index": index,
      "job-total": legs.length,
      "max-parallel": maxParallel,
    };
    const scope = { contexts: { ...contexts, strategy, matrix: leg?.matrix ?? null } };
    return { scope, ...(leg && { leg }) };
  });
}

async function namesOf(job: WorkflowJob, scopes: readonly LegScope[]): Promise<string[]> {
  const names: string[] = [];
  for (const { scope, leg } of scopes) {
    const { name } = job;
    const given =
      name === undefined
        ? undefined
        : {
            text: toText(await evaluateTemplate(name, scope)),
            isEvaluated: typeof name === "object",
          };
    names.push(nameJob(job.id, given, leg?.named));
  }
  return names;
}

function reads(template: Template | undefined, contexts: readonly string[]): boolean {
  const nowhere = { file: "", line: 1, column: 1 };
  return expressionsIn([template], nowhere).some(({ paths }) =>
    paths.some(([context]) => contexts.includes(context)),
  );
}
