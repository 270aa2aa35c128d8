import type { RepositoryReference } from "../actions/action-reference.ts";
import type { Scope } from "../expressions/evaluate.ts";
import { toText } from "../expressions/evaluate.ts";
import type { Json } from "../expressions/template.ts";
import type { Context } from "../job/contexts.ts";
import type { UsesStep } from "../job/job-description.ts";
import { currentJobContext, type RunningJob, stepContexts } from "../job/running-job.ts";
import { StepRecords } from "../job/step-records.ts";
import type { LoadedAction } from "./load-action.ts";
import type { RunningAction } from "./running-step.ts";

/** Stages of an action; a script has `main` alone. */
export type Stage = "pre" | "main" | "post";

/** What a list of steps shares: those of the job, or of one composite action. */
export type StepScope = {
  readonly running: RunningJob;
  /** The composite actions around these steps, the outermost first. */
  readonly within: readonly string[];
  /** The `github` context but for what differs from step to step. */
  readonly github: Context;
  /** `env` of the steps around these, which nothing that a step sets gets over. */
  readonly overrides: { readonly [name: string]: string };
  /** `defaults.run`. */
  readonly defaults: RunningJob["defaults"];
  readonly records: StepRecords;
  readonly instances: ActionInstances;
  contexts(step: { readonly env: Json; readonly github: Context }): Scope["contexts"];
  /** `isCancelling`: the job has just been cancelled, and a running step is asked whether it goes on. */
  status(isCancelling: boolean): NonNullable<Scope["status"]>;
};

/** What is remembered of an action from stage to stage, for each step that uses one. */
export type ActionInstance = {
  readonly step: UsesStep;
  readonly state: Map<string, string>;
  loaded: LoadedAction | undefined;
  /** What the first of its stages was called, without `Pre`: its post is called so too. */
  name: string | undefined;
  /** Whether its post stage has to run. */
  hasPost: boolean;
  /** Of a composite action: what its steps left. */
  readonly records: StepRecords;
  readonly inner: ActionInstances;
};

/** In the order in which their posts were registered, the last is undone first. */
export class ActionInstances {
  readonly #byStep = new Map<string, ActionInstance>();
  readonly #posts: ActionInstance[] = [];

  of(step: UsesStep): ActionInstance {
    const known = this.#byStep.get(step.id);
    if (known) return known;
    const instance: ActionInstance = {
      step,
      state: new Map(),
      loaded: undefined,
      name: undefined,
      hasPost: false,
      records: new StepRecords(),
      inner: new ActionInstances(),
    };
    this.#byStep.set(step.id, instance);
    return instance;
  }

  registerPost(instance: ActionInstance): void {
    if (instance.hasPost) return;
    instance.hasPost = true;
    this.#posts.push(instance);
  }

  /** Those whose post stage has something to do, the last registered first. */
  get posts(): readonly ActionInstance[] {
    return this.#posts.filter(hasWorkAtEnd).reverse();
  }
}

/** A composite action has none of its own. */
function hasWorkAtEnd({ loaded, inner }: ActionInstance): boolean {
  return loaded?.manifest.runs.using !== "composite" || inner.posts.length > 0;
}

/** The scope of the job's own steps. */
export function jobScope(running: RunningJob): StepScope {
  const { state } = running;
  return {
    running,
    within: [],
    github: running.github,
    overrides: {},
    defaults: running.defaults,
    records: state.steps,
    instances: new ActionInstances(),
    contexts: (step) => stepContexts(running, step),
    status: () => jobStatus(running),
  };
}

/**
 * The scope of a composite action's steps.
 *
 * @param options `status` is how the action has fared so far; without it its steps look at the job, as in pre and post.
 */
export function compositeScope(
  outer: StepScope,
  self: RunningAction,
  options: {
    readonly instance: ActionInstance;
    readonly action: Pick<LoadedAction, "title" | "folder">;
    readonly overrides: StepScope["overrides"];
    status?(): "success" | "failure" | "cancelled";
  },
): StepScope {
  const { running } = outer;
  const { instance, overrides, status } = options;
  const { title, folder } = options.action;
  const { strategy, matrix } = running.job.contexts;
  return {
    running,
    within: [...outer.within, title],
    github: { ...self.github, action_path: folder },
    overrides,
    defaults: {},
    records: instance.records,
    instances: instance.inner,
    contexts: ({ env, github }) => ({
      github: () => github,
      inputs: () => running.token.renewAll(self.inputs),
      strategy,
      matrix,
      env: () => env,
      steps: () => instance.records.context,
      job: () => currentJobContext(running),
      runner: running.runner,
    }),
    status(isCancelling) {
      if (status === undefined) return jobStatus(running);
      return {
        success: () => !isCancelling && status() === "success",
        failure: () => !isCancelling && status() === "failure",
        cancelled: () => running.state.status === "cancelled",
      };
    },
  };
}

/** The repository and commit whose files the job's own steps come from. */
export function ownRepository(job: RunningJob["job"]): RepositoryReference | undefined {
  const { repository = null, sha = null } = job.contexts.github;
  const [owner, repo] = toText(repository).split("/");
  return owner && repo ? { owner, repo, ref: toText(sha) } : undefined;
}

function jobStatus({ state }: RunningJob): NonNullable<Scope["status"]> {
  return {
    success: () => state.status === "success",
    failure: () => state.status === "failure",
    cancelled: () => state.status === "cancelled",
  };
}
