import type { BerthError } from "../../runner/errors.ts";
import type { ExecuteJobDeps } from "../../runner/job/execute-job.ts";
import type { DindMode } from "../containers/dind/dind-request.ts";
import type { JobContainer } from "../containers/find-job-container.ts";
import type { JobLogin } from "../containers/job-login.ts";
import type { ContainerSettings } from "../containers/settings.ts";
import type { Capability, WithheldGpu } from "../profiles/capability.ts";
import type { Need } from "../profiles/need.ts";
import type { LeaseRecord } from "../store/records.ts";

/** What a job's place must have beside what its workflow says. */
export type PlaceTerms = {
  readonly lease: LeaseRecord;
  /** What its labels and its profile come to. */
  readonly need: Need;
  /** Image of a job without `container:`; the host's job image when left out. */
  readonly image?: string | undefined;
  /** Settings of the profile, filled in for this job. */
  readonly settings?: ContainerSettings | undefined;
  /** A container of which `isWanted` says so when it is about to go is left, with all that belongs to its job, to be kept for `seconds`. */
  readonly keep?: { readonly seconds: number; isWanted(): boolean } | undefined;
  /** How the job's own Docker daemon runs, as its profile says; it gets one where its need says so. */
  readonly dind?: { readonly mode: DindMode; readonly image?: string | undefined } | undefined;
  /** Hears that the connection to the job's shell was cut, and then that it is there again (`undefined`). */
  onCut?(cut: BerthError | undefined): void;
};

/** Keeps what `PlaceTerms.keep` has left of a job. */
export type HostKeeping = {
  /**
   * Lets the container run on; it ends itself after so many seconds. False when it does not run.
   *
   * @throws When the machine cannot be asked.
   */
  hold(jobId: string, seconds: number): Promise<boolean>;
  /**
   * Makes the container one that the owners of these keys can log in to, for `limitMs` from now.
   *
   * @throws When the machine cannot be asked.
   */
  logIn(
    jobId: string,
    options: {
      readonly keys: readonly string[];
      readonly limitMs: number;
      readonly signal: AbortSignal;
    },
  ): Promise<JobLogin>;
};

/** A machine that jobs run on. What speaks to it is behind this; others than this machine's engine come as further ones. */
export type HostPlaces = AsyncDisposable & {
  readonly name: string;
  readonly slots: number;
  /**
   * Looks at the machine anew.
   *
   * @throws {BerthError} `HOST_UNUSABLE` and errors of the engine: it cannot run jobs now.
   */
  probe(signal: AbortSignal): Promise<Capability>;
  /** GPUs that no job may be given now, as far as it is known. */
  withheldGpus?(): readonly WithheldGpu[];
  /**
   * Takes the GPUs of a job's lease on the machine itself, against others who run jobs there; `taken` when one of them has some. Disposing, which
   * comes after all of the job is removed, lets them go and never throws.
   *
   * @throws {BerthError} `HOST_UNUSABLE`, `HOST_UNREACHABLE`, errors of the engine.
   */
  claimGpus?(
    job: { readonly id: string } & Pick<PlaceTerms, "lease" | "need">,
    signal: AbortSignal,
  ): Promise<
    (AsyncDisposable & { readonly taken?: undefined }) | { readonly taken: readonly WithheldGpu[] }
  >;
  /** Makes a job's place, or comes back to the one that an earlier life made. */
  openPlace(terms: PlaceTerms): ExecuteJobDeps["openPlace"];
  /**
   * Where a job's container runs; `undefined` when it does not. Absent where jobs have no container.
   *
   * @throws When the machine cannot be asked.
   */
  findContainer?(
    jobId: string,
  ): Promise<(JobContainer & { readonly endpoint: string }) | undefined>;
  /** What keeps containers of failed jobs for a look. Absent where jobs have no container. */
  readonly keeping?: HostKeeping;
  /** Removes everything of a job. Never throws; what stays is told. */
  removeJob(jobId: string): Promise<void>;
  /**
   * Ids of jobs of this service that something is left of.
   *
   * @throws When the machine cannot be asked.
   */
  jobsWithRemains(): Promise<string[]>;
  /** Names the time since the machine was started, asked of it now; `undefined` where it cannot be asked. Never throws. */
  bootId?(): Promise<string | undefined>;
  /** Hears each time the way to the machine is lost, with the reason, and each time it is there again (`undefined`). Absent where nothing tells. */
  onChange?(listener: (lost: Error | undefined) => void): Disposable;
};
