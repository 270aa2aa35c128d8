import { BerthError } from "../../runner/errors.ts";
import { toText } from "../../runner/expressions/evaluate.ts";
import type { Json } from "../../runner/expressions/template.ts";
import { resolveDispatchInputs } from "../../runner/workflow/dispatch-inputs.ts";
import { githubContext } from "../../runner/workflow/github-context.ts";
import { matchEvent } from "../../runner/workflow/match-event.ts";
import { checkWorkflow } from "../../runner/workflow/read-workflow.ts";
import type { GitHubRun, Installation } from "../github/installation.ts";
import { triggerEventOf } from "../intake/find-trigger.ts";
import type { RunRecord, TriggerRecord } from "../store/records.ts";
import type { Store } from "../store/store.ts";
import { at, commitOfRun, text } from "./commit-of-run.ts";
import type { RunSnapshot } from "./run-facts.ts";

export type ReadRunFactsOptions = {
  readonly run: Pick<RunRecord, "repository" | "repositoryId" | "githubRunId" | "attempt">;
  readonly installation: Pick<
    Installation,
    "run" | "file" | "mergeCommit" | "commitParents" | "refCommit" | "variables"
  >;
  readonly triggers: Pick<Store["triggers"], "find">;
  /** The event that started a run, among those of its kind and repository; `accepts` tells events apart that came together. */
  findTrigger(
    run: GitHubRun,
    candidates: readonly TriggerRecord[],
    accepts?: (trigger: TriggerRecord) => boolean,
  ): TriggerRecord | undefined;
  readonly serverUrl: string;
  readonly apiUrl: string;
};

export type ReadRunFacts =
  | { readonly kind: "facts"; readonly facts: RunSnapshot }
  /** Not ours to run, and why. `lacksEvent`: the event may yet arrive, and say more. */
  | { readonly kind: "left"; readonly reason: string; readonly lacksEvent: boolean };

/**
 * Reads what a run is: its event, the commit GitHub used, the workflow file there, its variables.
 *
 * @throws {BerthError} `GITHUB_REFUSED`, `GITHUB_UNREACHABLE`
 */
export async function readRunFacts(options: ReadRunFactsOptions): Promise<ReadRunFacts> {
  const { installation } = options;
  const { repository, githubRunId, attempt } = options.run;
  const [run, vars] = await Promise.all([
    installation.run(repository, githubRunId, attempt),
    installation.variables(repository),
  ]);
  const payload = (await triggerOf(run, options))?.payload;

  const used = await commitOfRun(run, payload, installation);
  const lacksEvent = payload === undefined;
  if (used.kind === "unknown") return { kind: "left", reason: used.reason, lacksEvent };
  const workflowText = await installation.file(repository, run.path, used.refs.sha);
  const given = inputsOf(run, payload, workflowText);
  if (typeof given === "string") return { kind: "left", reason: given, lacksEvent };

  const headRepository = headRepositoryOf(run, payload);
  const isFork = !isSame(headRepository, run.repository.fullName);
  const association = associationOf(payload);
  return {
    kind: "facts",
    facts: {
      event: run.event,
      ...(lacksEvent && { payloadMissing: whyMissing(run.event) }),
      ...used.refs,
      workflowFile: run.path,
      ...(workflowText !== undefined && { workflowText }),
      github: contextOf(run, { ...options, refs: used.refs, event: given.event }),
      inputs: given.inputs,
      // Variables are not passed to the pull requests of forks:
      // https://docs.github.com/en/actions/how-tos/write-workflows/choose-what-workflows-do/use-variables
      vars: isFork && isOfPullRequest(run.event) ? {} : vars,
      isFork,
      headRepository,
      ...(association !== undefined && { authorAssociation: association }),
      title: run.title,
    },
  };
}

/** `opened` and `labeled` of a new pull request come in one second: which of them it was, the workflow's `types` say. */
async function triggerOf(
  run: GitHubRun,
  { run: { repository, repositoryId }, installation, triggers, findTrigger }: ReadRunFactsOptions,
): Promise<TriggerRecord | undefined> {
  const event = triggerEventOf(run.event);
  if (event === undefined) return undefined;
  const candidates = await triggers.find({ repositoryId, event });
  const found = findTrigger(run, candidates);
  if (found !== undefined || candidates.length < 2) return found;

  const isOfBase = run.event === "pull_request_target";
  const commit = isOfBase ? run.repository.defaultBranch : run.headSha;
  const file = await installation.file(repository, run.path, commit);
  const { workflow } = checkWorkflow({ file: run.path, text: file ?? "" });
  if (workflow === undefined) return undefined;
  return findTrigger(run, candidates, ({ payload }) => {
    const action = text(payload, "action");
    return matchEvent(workflow, { name: run.event, ...(action && { action }) }).runs;
  });
}

function whyMissing(event: string): string {
  return event === "schedule"
    ? "GitHub sends no event for a schedule"
    : `the ${event} event has not reached Berth`;
}

/** `event`: the payload with the strings of its inputs complete. A text says what is wrong with what was given. */
function inputsOf(
  run: GitHubRun,
  payload: TriggerRecord["payload"] | undefined,
  workflowText: string | undefined,
): { readonly event: { readonly [name: string]: Json }; readonly inputs: Json } | string {
  if (run.event !== "workflow_dispatch" || payload === undefined || workflowText === undefined) {
    return { event: payload ?? {}, inputs: null };
  }
  const { workflow } = checkWorkflow({ file: run.path, text: workflowText });
  if (workflow === undefined) return { event: payload, inputs: null };
  const given = Object.entries(asObject(at(payload, "inputs")));
  const texts = Object.fromEntries(given.map(([name, value]) => [name, toText(value)]));
  try {
    const resolved = resolveDispatchInputs(workflow, texts);
    return { event: { ...payload, inputs: resolved.event }, inputs: resolved.inputs };
  } catch (error) {
    // GitHub has checked them against the file that it used: this is another.
    if (error instanceof BerthError && error.code === "INPUT_INVALID") return error.message;
    throw error;
  }
}

function contextOf(
  run: GitHubRun,
  {
    serverUrl,
    apiUrl,
    refs,
    event,
  }: Pick<ReadRunFactsOptions, "serverUrl" | "apiUrl"> & {
    readonly refs: Parameters<typeof githubContext>[0]["refs"];
    readonly event: { readonly [name: string]: Json };
  },
): RunSnapshot["github"] {
  const { repository, actor } = run;
  return githubContext({
    eventName: run.event,
    event,
    refs,
    repository: {
      fullName: repository.fullName,
      id: String(repository.id),
      ownerId: String(repository.owner.id),
    },
    actor: { login: actor.login, id: String(actor.id) },
    triggeringActor: run.triggeringActor.login,
    runId: String(run.id),
    runNumber: run.number,
    attempt: run.attempt,
    workflowFile: run.path,
    workflow: run.workflowName,
    serverUrl,
    apiUrl,
  });
}

/**
 * Another repository wherever run or payload name one. Of `pull_request_target` too where the head is: its code is the base's, but
 * its author may be anybody.
 */
function headRepositoryOf(run: GitHubRun, payload: Json | undefined): string | null {
  const head = at(payload, "pull_request", "head");
  const ofHead = head === undefined ? run.headRepository : text(head, "repo", "full_name");
  return isSame(run.headRepository, run.repository.fullName)
    ? (ofHead ?? null)
    : run.headRepository;
}

function isSame(one: string | null, other: string): boolean {
  return one?.toLowerCase() === other.toLowerCase();
}

function associationOf(payload: Json | undefined): string | undefined {
  return (
    text(payload, "pull_request", "author_association") ??
    text(payload, "comment", "author_association") ??
    text(payload, "issue", "author_association")
  );
}

function asObject(value: Json | undefined): { readonly [key: string]: Json } {
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  return isObject ? (value as { readonly [key: string]: Json }) : {};
}

/** `pull_request_target` runs what is in the base. */
function isOfPullRequest(event: string): boolean {
  return ["pull_request", "pull_request_review", "pull_request_review_comment"].includes(event);
}
