/** What a `uses:` names. */
export type ActionReference =
  | RepositoryActionReference
  /** `./path`, relative to the workspace, as it was written. */
  | { readonly kind: "local"; readonly path: string }
  /** `docker://image`. */
  | { readonly kind: "image"; readonly image: string };

/** An action in a repository. */
export type RepositoryActionReference = RepositoryReference & {
  readonly kind: "repository";
  /** Within the repository, `""` for its root; no slash at either end, no `..`. */
  readonly path: string;
};

/** A repository at a branch, tag or full commit; a ref may hold slashes. */
export type RepositoryReference = {
  readonly owner: string;
  readonly repo: string;
  readonly ref: string;
};
