import { BerthError, type ErrorCode } from "../errors.ts";

/**
 * What ended a job that neither its steps nor its user did: memory or disk ran out, its engine or its container was lost, its time was up
 * (`timeout-minutes`, which running it again does not mend), its container did not get the GPUs that were leased to it.
 */
export type JobDeath =
  | "out-of-memory"
  | "disk-full"
  | "engine-lost"
  | "container-lost"
  | "gpu-mismatch"
  | "deadline";

const BY_CODE: { readonly [code in ErrorCode]?: JobDeath } = {
  ENGINE_LOST: "engine-lost",
  DISK_FULL: "disk-full",
};
const NO_SPACE = new Set<unknown>(["ENOSPC", "EDQUOT"]);
const CAUSES = 8;

/** What an error or one of its causes says of the host, by code. */
export function deathOf(error: unknown): JobDeath | undefined {
  let cause = error;
  for (let depth = 0; depth < CAUSES && cause instanceof Error; depth++) {
    if (cause instanceof DiedOf) return cause.death;
    const known = cause instanceof BerthError ? BY_CODE[cause.code] : undefined;
    if (known !== undefined) return known;
    if ("code" in cause && NO_SPACE.has(cause.code)) return "disk-full";
    cause = cause.cause;
  }
  return undefined;
}

/** The cause of an error that a job died of, where its code alone does not tell. */
export class DiedOf extends Error {
  readonly death: JobDeath;

  constructor(death: JobDeath, cause?: unknown) {
    super(death, { cause });
    this.name = "DiedOf";
    this.death = death;
  }
}
