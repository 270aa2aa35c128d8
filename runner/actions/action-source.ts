import type { RepositoryReference } from "./action-reference.ts";

/** An action's repository at one commit, unpacked on the trusted side's disk. */
export type ActionRepository = RepositoryReference & {
  /** Whose word the commit is; another server could have anything under the same id. */
  readonly server?: string | undefined;
  /** The full commit, 40 hex digits; of a folder that stands in for a repository, a hash of its content. */
  readonly commit: string;
  /** An absolute path; nobody changes what lies there. */
  readonly folder: string;
};

/** Fetches the repositories that `uses:` names. */
export type ActionSource = {
  /**
   * @param options `commit` is what an earlier life of the job got for this reference: the same again, whatever a branch says now.
   * @throws {BerthError} `ACTION_NOT_FOUND`, `ACTION_FETCH_FAILED`
   */
  fetch(
    reference: RepositoryReference,
    options: {
      readonly commit?: string | undefined;
      progress(line: string): void;
      readonly signal: AbortSignal;
    },
  ): Promise<ActionRepository>;
};
