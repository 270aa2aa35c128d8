/** What a `uses:` names. */
export type ActionReference =
  | ({
      readonly kind: "repository" /** Within the repository, `""` for its root; no slash at either end. */;
      readonly path: string;
    } & RepositoryReference)
  /** `./path`, relative to the workspace, as it was written. */
  | { readonly kind: "local"; readonly path: string }
  /** `docker://image`. */
  | { readonly kind: "image"; readonly image: string };

/** A repository at a branch, tag or full commit. */
export type RepositoryReference = {
  readonly owner: string;
  readonly repo: string;
  readonly ref: string;
};
