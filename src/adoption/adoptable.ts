import { findUnsupported } from "../../runner/workflow/find-unsupported.ts";
import { checkWorkflow } from "../../runner/workflow/read-workflow.ts";
import { ancestorsOf } from "../../runner/workflow/select-jobs.ts";
import type { Workflow, WorkflowJob } from "../../runner/workflow/workflow.ts";
import { eventIsMissed } from "./missed-event.ts";
import { findMixedNeeds } from "./mixed-needs.ts";
import type { RunSnapshot } from "./run-facts.ts";
import { printPlace } from "./used-expressions.ts";
import { type OwnedJob, whoseJobs } from "./whose-jobs.ts";

export type AdoptableOptions = {
  readonly facts: RunSnapshot;
  /** Whether a job with these labels is for Berth. */
  isOurs(labels: readonly string[]): boolean;
  /** What becomes of a run of which only a part can be run here. */
  readonly mixed: "leave" | "run";
};

/** Whether a run's jobs can be run here; a `no` says why in a sentence. */
export type Adoption =
  | {
      readonly kind: "yes";
      readonly workflow: Workflow;
      readonly jobs: ReadonlyMap<string, OwnedJob>;
      readonly warnings: readonly string[];
      /** By job id why that job cannot run, while the others do. */
      readonly blocked: { readonly [jobId: string]: string };
    }
  | { readonly kind: "no"; readonly reason: string };

/** Asked before anything starts. Policy is another question: `judgeRun`. */
export async function adoptable({ facts, isOurs, mixed }: AdoptableOptions): Promise<Adoption> {
  const read = readWorkflowOf(facts);
  if (typeof read === "string") return no(read);
  const jobs = await whoseJobs(read, facts, isOurs);
  const isOwn = (job: WorkflowJob) => jobs.get(job.id)?.owner !== "hosted";
  const own = read.jobs.filter(isOwn);
  if (own.length === 0) {
    return no(`No job of ${facts.workflowFile} at commit ${facts.sha} is for Berth.`);
  }
  const reason =
    eventIsMissed(read, own, facts) ?? twoOfOneName(read, jobs) ?? neededCall(read, own, mixed);
  if (reason !== undefined) return no(reason);

  const { problems, blocked } = await findMixedNeeds(read, jobs, facts);
  const called = findUnsupported(read).map(({ message }) => message);
  const cannot = [...problems, ...called];
  if (cannot.length > 0 && mixed === "leave") {
    return no(`${cannot.join(" ")} "mixed: run" in berth.yml lets the other jobs run.`);
  }
  return { kind: "yes", workflow: read, jobs, warnings: cannot, blocked };
}

function no(reason: string): Adoption {
  return { kind: "no", reason };
}

function readWorkflowOf({ workflowFile, workflowText, sha }: RunSnapshot): Workflow | string {
  if (workflowText === undefined) {
    return `There is no ${workflowFile} at commit ${sha}, which GitHub used for the run.`;
  }
  const { workflow, problems } = checkWorkflow({ file: workflowFile, text: workflowText });
  if (workflow) return workflow;
  const said = problems.map((problem) => `${printPlace(problem)}: ${problem.message}`);
  return `The workflow file is not valid. ${said.join("; ")}`;
}

/** GitHub's events tell jobs apart by their names only. */
function twoOfOneName(workflow: Workflow, jobs: ReadonlyMap<string, OwnedJob>): string | undefined {
  const seen = new Map<string, WorkflowJob>();
  for (const job of workflow.jobs) {
    for (const name of jobs.get(job.id)?.names ?? []) {
      const other = seen.get(name);
      const isOurs = [job, other].some((one) => one && jobs.get(one.id)?.owner !== "hosted");
      if (other && isOurs) {
        return `${printPlace(other.at)} and ${printPlace(job.at)}: two jobs are named '${name}', and GitHub's events tell jobs apart by name only.`;
      }
      seen.set(name, job);
    }
  }
  return undefined;
}

/** A called workflow that one of ours needs has results that nobody tells us. */
function neededCall(
  workflow: Workflow,
  own: readonly WorkflowJob[],
  mixed: AdoptableOptions["mixed"],
): string | undefined {
  const ancestors = ancestorsOf(workflow.jobs);
  const needed = new Set(own.flatMap(({ id }) => [...(ancestors.get(id) ?? [])]));
  const calls = workflow.jobs.filter((job) => mixed === "leave" || needed.has(job.id));
  const [found] = findUnsupported(workflow, calls);
  return found && `${printPlace(found.at)}: ${found.message}`;
}
