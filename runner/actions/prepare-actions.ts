import PQueue from "p-queue";
import { BerthError } from "../errors.ts";
import type { StepDescription, UsesStep } from "../job/job-description.ts";
import type { RepositoryActionReference, RepositoryReference } from "./action-reference.ts";
import type { ActionRepository, ActionSource } from "./action-source.ts";
import { parseActionReference, printReference, repositoryKey } from "./parse-reference.ts";
import { type PreparedAction, readRepositoryAction } from "./read-repository-action.ts";

export type PreparedActions = {
  /** What has been fetched and was not known before, in the order in which it was named: for the job's place. */
  readonly repositories: readonly ActionRepository[];
  /** @throws {BerthError} What went wrong with an action that was not needed until now. */
  find(reference: RepositoryActionReference): PreparedAction;
  /** A repository that has been fetched, for this or before. */
  findRepository(reference: RepositoryReference): ActionRepository | undefined;
};

export type PrepareOptions = {
  /** Without one, the first action of another repository is an error. */
  readonly source: ActionSource | undefined;
  /** What an earlier life of the job got: `repositoryKey` to commit. */
  readonly pinned?: ReadonlyMap<string, string>;
  /** The repository and commit of the file that has the steps, for `$/path`. */
  readonly containing?: RepositoryReference | undefined;
  /** Whether a step may turn out not to need its action: what fails for its sake alone is kept for `find`. */
  isOptional?(step: UsesStep): boolean;
  /** What the job has already: not fetched again, and found here too. */
  readonly known?: PreparedActions;
  /** How many composite actions the steps are in. */
  readonly depth?: number;
  log(line: string): void;
  readonly signal: AbortSignal;
};

/** Steps of a workflow are at depth 0; a composite action may be at this depth, but none in it. */
export const MAX_COMPOSITE_DEPTH = 9;

const FETCHES_AT_ONCE = 8;

/** One action that steps of the same depth name, and the composite actions that led to it. */
type Need = {
  readonly reference: RepositoryActionReference;
  readonly isOptional: boolean;
  readonly path: readonly string[];
};

/** A value, or why there is none. */
type Outcome<T> = { readonly value: T } | { readonly error: BerthError };

/**
 * Fetches all that steps use of other repositories, and what that uses in turn; skipped steps count, as on GitHub. Of a composite action of
 * the workspace the same is asked when it runs, with its steps.
 *
 * @throws {BerthError} `ACTION_INVALID`, `ACTION_NOT_FOUND`, `ACTION_FETCH_FAILED`, with all that is wrong at one depth.
 */
export async function prepareActions(
  steps: readonly StepDescription[],
  options: PrepareOptions,
): Promise<PreparedActions> {
  const { known } = options;
  const repositories = new Map<string, Outcome<ActionRepository>>();
  const actions = new Map<string, Outcome<PreparedAction>>();

  let needs = needsOf(steps, { isOptional: false, path: [] }, options);
  for (let depth = options.depth ?? 0; needs.length > 0; depth++) {
    await fetchRepositories(needs, repositories, options);
    throwFailures(needs, (need) => repositories.get(repositoryKey(need.reference)));
    await readActions(needs, { repositories, actions });
    throwFailures(needs, (need) => actions.get(actionKey(need.reference)));
    needs = nextNeeds(needs, depth, { actions, options });
  }

  return {
    repositories: Array.from(repositories).flatMap(([, outcome]) =>
      "value" in outcome && !known?.findRepository(outcome.value) ? [outcome.value] : [],
    ),
    find(reference) {
      const outcome = actions.get(actionKey(reference));
      if (!outcome && known) return known.find(reference);
      if (!outcome) throw notPrepared(reference);
      if ("error" in outcome) throw outcome.error;
      return outcome.value;
    },
    findRepository(reference) {
      const outcome = repositories.get(repositoryKey(reference));
      return outcome && "value" in outcome ? outcome.value : known?.findRepository(reference);
    },
  };
}

/** What a composite action fails with that is in more than nine others; `path` names them, the outermost first. */
export function compositeTooDeep(path: readonly string[]): BerthError {
  return new BerthError("ACTION_INVALID", {
    message: `Composite action depth exceeded max depth ${MAX_COMPOSITE_DEPTH}`,
    remedy: `Each of these uses the next one: ${path.join(" → ")}. See whether one of them comes back to itself.`,
  });
}

/** What steps use of other repositories, each once; optional what none of them surely needs. */
function needsOf(
  steps: readonly StepDescription[],
  outer: Pick<Need, "isOptional" | "path">,
  { containing, isOptional }: Pick<PrepareOptions, "containing" | "isOptional">,
): Need[] {
  return steps.flatMap((step) => {
    if (step.kind !== "uses") return [];
    const reference = parseActionReference(step.uses, containing);
    if (reference.kind !== "repository") return [];
    const optional = outer.isOptional || (isOptional?.(step) ?? false);
    return [{ reference, isOptional: optional, path: outer.path }];
  });
}

/** Each repository once, side by side. */
async function fetchRepositories(
  needs: readonly Need[],
  repositories: Map<string, Outcome<ActionRepository>>,
  options: PrepareOptions,
): Promise<void> {
  const missing = new Map<string, RepositoryActionReference>();
  for (const { reference } of needs) {
    const key = repositoryKey(reference);
    const known = options.known?.findRepository(reference);
    if (known) repositories.set(key, { value: known });
    else if (!repositories.has(key) && !missing.has(key)) missing.set(key, reference);
  }
  if (missing.size === 0) return;

  options.log("Getting action download info");
  const queue = new PQueue({ concurrency: FETCHES_AT_ONCE });
  const fetched = Array.from(missing, ([key, reference]) =>
    queue.add(async () => [key, await outcomeOf(() => fetchOne(reference, options))] as const),
  );
  // All of them, before anything is thrown: none goes on behind a job that has ended.
  const settled = await Promise.allSettled(fetched);
  options.signal.throwIfAborted();
  for (const result of settled) {
    if (result.status === "rejected") throw result.reason;
    const [key, outcome] = result.value;
    repositories.set(key, outcome);
    if (!("value" in outcome)) continue;
    const { owner, repo, ref, commit } = outcome.value;
    options.log(`Download action repository '${owner}/${repo}@${ref}' (SHA:${commit})`);
  }
}

async function fetchOne(
  reference: RepositoryActionReference,
  { source, pinned, log, signal }: PrepareOptions,
): Promise<ActionRepository> {
  if (!source) throw noSource(reference);
  signal.throwIfAborted();
  const { owner, repo, ref } = reference;
  const commit = pinned?.get(repositoryKey(reference));
  const fetched = await source.fetch({ owner, repo, ref }, { commit, progress: log, signal });
  // As the workflow calls it: that is the folder where the job finds it.
  return { owner, repo, ref, commit: fetched.commit, folder: fetched.folder };
}

async function readActions(
  needs: readonly Need[],
  {
    repositories,
    actions,
  }: {
    readonly repositories: ReadonlyMap<string, Outcome<ActionRepository>>;
    readonly actions: Map<string, Outcome<PreparedAction>>;
  },
): Promise<void> {
  for (const { reference } of needs) {
    const key = actionKey(reference);
    const repository = repositories.get(repositoryKey(reference));
    if (actions.has(key) || !repository) continue;
    const outcome =
      "error" in repository
        ? repository
        : await outcomeOf(() => readRepositoryAction(reference, repository.value));
    actions.set(key, outcome);
  }
}

/** What the composite actions among these need, one deeper. */
function nextNeeds(
  needs: readonly Need[],
  depth: number,
  {
    actions,
    options,
  }: {
    readonly actions: ReadonlyMap<string, Outcome<PreparedAction>>;
    readonly options: PrepareOptions;
  },
): Need[] {
  const next = new Map<string, Need>();
  for (const { reference, isOptional, path } of needs) {
    const action = actions.get(actionKey(reference));
    if (!action || "error" in action || action.value.manifest.runs.using !== "composite") continue;
    const inner = [...path, printReference(reference)];
    if (depth > MAX_COMPOSITE_DEPTH) throw compositeTooDeep(inner);
    const { steps } = action.value.manifest.runs;
    for (const need of needsOf(steps, { isOptional, path: inner }, options)) {
      const key = actionKey(need.reference);
      const other = next.get(key);
      next.set(key, other && !other.isOptional ? other : need);
    }
  }
  return Array.from(next.values());
}

/** Throws what failed of those that are surely needed. */
function throwFailures(
  needs: readonly Need[],
  outcomeOfNeed: (need: Need) => Outcome<unknown> | undefined,
): void {
  const errors = new Set<BerthError>();
  for (const need of needs) {
    const outcome = outcomeOfNeed(need);
    if (!need.isOptional && outcome && "error" in outcome) errors.add(outcome.error);
  }
  const [first, ...rest] = errors;
  if (!first) return;
  if (rest.length === 0) throw first;
  throw new BerthError(first.code, {
    message: Array.from(errors, ({ message }) => message).join("\n"),
    remedy: first.remedy,
    cause: first,
  });
}

async function outcomeOf<T>(work: () => Promise<T>): Promise<Outcome<T>> {
  try {
    return { value: await work() };
  } catch (error) {
    if (error instanceof BerthError) return { error };
    throw error;
  }
}

function actionKey(reference: RepositoryActionReference): string {
  return `${repositoryKey(reference)}:${reference.path}`;
}

function noSource(reference: RepositoryActionReference): BerthError {
  return new BerthError("ACTION_FETCH_FAILED", {
    message: `The action ${printReference(reference)} is in another repository, and nothing here fetches repositories.`,
    remedy: "Give `actions`, a source of repositories, to what runs the job.",
  });
}

function notPrepared(reference: RepositoryActionReference): BerthError {
  return new BerthError("ACTION_NOT_FOUND", {
    message: `The action ${printReference(reference)} was not among those fetched for the job.`,
  });
}
