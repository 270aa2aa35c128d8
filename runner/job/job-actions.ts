import type { RepositoryActionReference } from "../actions/action-reference.ts";
import type { ActionSource } from "../actions/action-source.ts";
import { repositoryKey } from "../actions/parse-reference.ts";
import {
  type PreparedActions,
  type PrepareOptions,
  prepareActions,
} from "../actions/prepare-actions.ts";
import type { PreparedAction } from "../actions/read-repository-action.ts";
import type { Json } from "../expressions/template.ts";
import type { StepDescription } from "./job-description.ts";

/** Actions of other repositories that a job has; composite actions of its workspace add more when they run. */
export class JobActions {
  /** Names of the images of docker actions by what they are made of. */
  readonly images = new Map<string, string>();
  readonly #source: ActionSource | undefined;
  #prepared: PreparedActions | undefined;

  constructor(source: ActionSource | undefined) {
    this.#source = source;
  }

  /** Fetches what the steps name and is not here yet; says what that was. */
  async prepare(
    steps: readonly StepDescription[],
    options: Omit<PrepareOptions, "source" | "known">,
  ): Promise<PreparedActions["repositories"]> {
    const known = this.#prepared ? { known: this.#prepared } : {};
    this.#prepared = await prepareActions(steps, { ...options, ...known, source: this.#source });
    return this.#prepared.repositories;
  }

  /** @throws {BerthError} What went wrong with an action that was not needed until now. */
  find(reference: RepositoryActionReference): PreparedAction {
    if (this.#prepared) return this.#prepared.find(reference);
    throw new Error(`${reference.owner}/${reference.repo} was asked for before it was fetched.`);
  }
}

/** Which commits were fetched, to be kept with a command: a later life of the job gets the same. */
export function pinsOf(repositories: PreparedActions["repositories"]): {
  readonly [reference: string]: string;
} {
  return Object.fromEntries(
    repositories.map((repository) => [repositoryKey(repository), repository.commit]),
  );
}

export function readPins(pins: Json | undefined): ReadonlyMap<string, string> {
  const isMapping = pins !== null && typeof pins === "object" && !Array.isArray(pins);
  return new Map(isMapping ? Object.entries(pins as { [reference: string]: string }) : []);
}
