import { thisOwner } from "./owner.ts";

const VERSION_LABEL = "io.berth.version";
export const KIND_LABEL = "io.berth.kind";
export const JOB_LABEL = "io.berth.job";
export const RUN_LABEL = "io.berth.run";
export const OWNER_LABEL = "io.berth.owner";
/** On all that a service of `berth serve` made for a job: which one. It comes back to its jobs, so its objects are no garbage while it is away. */
export const SERVED_LABEL = "io.berth.service";
/** Marks the frames of a job's shell; a process that comes back to the job needs it again. */
export const NONCE_LABEL = "io.berth.nonce";
/** On all volumes that hold an action: `owner/repo@commit`. */
export const ACTION_LABEL = "io.berth.action";

/** Bumped when a Berth can no longer come back to what an older one made. */
const LAYOUT_VERSION = "1";

export type Labels = { readonly [name: string]: string };
/** `dind`: a job's own Docker daemon. */
export type ObjectKind = "job" | "service" | "step" | "dind" | "cache";

/** Labels of an object that belongs to one job and has to go with it. */
export function jobLabels(job: {
  readonly kind: Exclude<ObjectKind, "cache">;
  readonly jobId: string;
  readonly runId: string;
}): Labels {
  return {
    [VERSION_LABEL]: LAYOUT_VERSION,
    [KIND_LABEL]: job.kind,
    [JOB_LABEL]: job.jobId,
    [RUN_LABEL]: job.runId,
    [OWNER_LABEL]: thisOwner(),
  };
}

/** Labels of what outlives jobs. */
export function cacheLabels(): Labels {
  return {
    [VERSION_LABEL]: LAYOUT_VERSION,
    [KIND_LABEL]: "cache",
    [OWNER_LABEL]: thisOwner(),
  };
}
