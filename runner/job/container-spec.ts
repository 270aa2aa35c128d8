import type { ActionRepository } from "../actions/action-source.ts";

/**
 * `container:` of a job after its expressions are evaluated, or the default container of a job without one. Strings keep
 * the workflow's syntax: ports `[ip:][host:]container[/udp]`, volumes `source:target[:ro]`, options as
 * `docker create` takes them; the folder that speaks to the engine reads them.
 */
export type ContainerSpec = {
  readonly image: string;
  readonly credentials?: { readonly username: string; readonly password: string };
  readonly env: { readonly [name: string]: string };
  readonly ports: readonly string[];
  readonly volumes: readonly string[];
  readonly options: string;
};

/** What the executor asks for: a `container:` of the workflow's, or the label's image. */
export type JobPlaceRequest = {
  readonly jobId: string;
  readonly runId: string;
  /** Repository name, for `/__w/<repo>/<repo>`. */
  readonly repository: string;
  readonly labels: readonly string[];
  /** Absent: the job has no `container:` and runs in the image of its labels. */
  readonly container?: ContainerSpec;
  /** What `uses:` names in other repositories, each to be found read-only at `<actions>/OWNER/REPO/REF`. */
  readonly actions?: readonly ActionRepository[];
  /** How long the place may last, from its container's start, before it ends itself, whoever watches it. */
  readonly timeLimitSeconds?: number;
};
