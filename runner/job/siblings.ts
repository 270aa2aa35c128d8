import type { ContainerSpec } from "./container-spec.ts";

/** The containers beside a job's own, on its volumes and its network: docker actions and services. All go with the job's place. */
export type Siblings = {
  /**
   * Pulls an image unless the engine has it.
   *
   * @throws {BerthError} `IMAGE_NOT_FOUND`
   */
  pullImage(image: string, options: SiblingOptions): Promise<void>;
  /**
   * Builds the image of a docker action from a folder, unless one of the same content was built before; its name.
   *
   * @throws {BerthError} `ACTION_BUILD_FAILED`; the build's output went to `progress`.
   */
  buildImage(source: BuildSource, options: SiblingOptions): Promise<string>;
  /**
   * Runs a container to its end. `key` is the same in every life of the job: one that an earlier life started under it is come back to, and what it
   * printed is told from its beginning. The container stays until `removeContainer`, so that its end can be learned again.
   */
  runContainer(
    spec: StepContainerSpec,
    options: {
      readonly key: string;
      onOutput(chunk: Buffer): void;
      /** Aborting stops it as GitHub's runner does: INT, after 7.5 s TERM, after 2.5 s KILL. */
      readonly signal: AbortSignal;
      /** Aborting kills it at once. */
      readonly kill: AbortSignal;
    },
  ): Promise<{ readonly exitCode: number; readonly oomKilled: boolean }>;
  /** Never throws: what stays is reported as a leak, and goes with the place at the latest. */
  removeContainer(key: string): Promise<void>;
  /**
   * Starts all services and waits until those with a health check are healthy. What an earlier attempt left of them is removed first.
   *
   * @throws {BerthError} `SERVICE_FAILED`; the logs of the failed ones went to `progress`.
   */
  startServices(
    services: readonly ServiceSpec[],
    options: SiblingOptions,
  ): Promise<{ readonly [id: string]: RunningService }>;
  /** Prints the services' logs and removes them. Never throws. */
  stopServices(options: SiblingOptions): Promise<void>;
};

/** `progress` lines go to the log of the step. */
export type SiblingOptions = { progress(line: string): void; readonly signal: AbortSignal };

/** Where a docker action's Dockerfile is: on the trusted side's disk, or in the job's container. */
export type BuildSource = {
  readonly side: "trusted" | "job";
  /** The build's context; absolute. */
  readonly folder: string;
  /** Relative to `folder`. */
  readonly dockerfile: string;
};

/** One container of a docker action. Its mounts and working directory are GitHub's and not for its author to choose. */
export type StepContainerSpec = {
  readonly image: string;
  /** One word; the image's own when left out. */
  readonly entrypoint?: string;
  readonly args: readonly string[];
  /** All of its variables beside the image's. Paths are those of the container. */
  readonly env: { readonly [name: string]: string };
};

/** A service after its expressions are evaluated. */
export type ServiceSpec = ContainerSpec & {
  readonly id: string;
  readonly entrypoint?: string;
  readonly command?: string;
};

/** As in the `job.services` context. */
export type RunningService = {
  readonly id: string;
  readonly network: string;
  /** Container port to the port where the job's steps reach it. */
  readonly ports: { readonly [containerPort: string]: string };
};
