import { BerthError, type ErrorCode } from "../errors.ts";

/**
 * What ended a job that neither its steps nor its user did: memory or disk ran out, its host, its engine or its container was lost, its time was up
 * (`timeout-minutes`, which running it again does not mend), its container did not get the GPUs that were leased to it, or one of them failed.
 */
export type JobDeath =
  | "out-of-memory"
  | "disk-full"
  | "host-lost"
  | "engine-lost"
  | "container-lost"
  | "gpu-mismatch"
  | "gpu-lost"
  | "deadline";

const BY_CODE: { readonly [code in ErrorCode]?: JobDeath } = {
  ENGINE_LOST: "engine-lost",
  HOST_UNUSABLE: "engine-lost",
  HOST_UNREACHABLE: "host-lost",
  HOST_LOGIN_REFUSED: "host-lost",
  HOST_KEY_CHANGED: "host-lost",
  HOST_KEY_UNKNOWN: "host-lost",
  DISK_FULL: "disk-full",
};
const NO_SPACE = new Set<unknown>(["ENOSPC", "EDQUOT"]);
const CAUSES = 8;

/** What an error or one of its causes says of the host, by code. An engine that does not answer may have a cause that says more. */
export function deathOf(error: unknown): JobDeath | undefined {
  let cause = error;
  let found: JobDeath | undefined;
  for (let depth = 0; depth < CAUSES && cause instanceof Error; depth++) {
    found = saidBy(cause) ?? found;
    if (found !== undefined && found !== "engine-lost") return found;
    cause = cause.cause;
  }
  return found;
}

function saidBy(error: Error): JobDeath | undefined {
  if (error instanceof DiedOf) return error.death;
  if (error instanceof BerthError && BY_CODE[error.code] !== undefined) return BY_CODE[error.code];
  return "code" in error && NO_SPACE.has(error.code) ? "disk-full" : undefined;
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
