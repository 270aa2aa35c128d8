import type { StepDescription, UsesStep } from "../job/job-description.ts";
import type { BuildSource } from "../job/siblings.ts";
import type { ActionManifest } from "./action-manifest.ts";
import type { RepositoryActionReference, RepositoryReference } from "./action-reference.ts";
import type { ActionRepository, ActionSource } from "./action-source.ts";

/** An action of another repository, fetched and read. */
export type PreparedAction = {
  readonly reference: RepositoryActionReference;
  readonly repository: ActionRepository;
  /** `$/path` in its steps is written out as `owner/repo/path@ref`. */
  readonly manifest: ActionManifest;
  /** Where it lies in the job, below the folder of all actions: `OWNER/REPO/REF[/PATH]`. */
  readonly folder: string;
  /** `folder` and the manifest's name, as errors call it. */
  readonly manifestFile: string;
  /** Of a docker action with a Dockerfile: where that is. It exists and lies within the repository. */
  readonly build?: BuildSource;
};

export type PreparedActions = {
  /** What has been fetched and was not known before, in the order in which it was named: for the job's place. */
  readonly repositories: readonly ActionRepository[];
  /** @throws {BerthError} What went wrong with an action that was not needed until now. */
  find(reference: RepositoryActionReference): PreparedAction;
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
  /** What the job has already; it is found here too. */
  readonly known?: PreparedActions;
  /** How many composite actions the steps are in. */
  readonly depth?: number;
  log(line: string): void;
  readonly signal: AbortSignal;
};

/**
 * Fetches all that steps use of other repositories, and what that uses in turn; skipped steps count, as on GitHub. Of a composite action of
 * the workspace the same is asked when it runs, with its steps.
 *
 * @throws {BerthError} `ACTION_INVALID`, `ACTION_NOT_FOUND`, `ACTION_FETCH_FAILED`
 */
export async function prepareActions(
  _steps: readonly StepDescription[],
  _options: PrepareOptions,
): Promise<PreparedActions> {
  await Promise.reject(new Error("not written yet"));
  throw new Error("not written yet");
}
