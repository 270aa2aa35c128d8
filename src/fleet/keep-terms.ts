import type { RunSnapshot } from "../adoption/run-facts.ts";
import type { Profile } from "../config/profile.ts";
import type { KeepTerms } from "./kept-jobs.ts";

/**
 * For how long a job's container is kept when it fails, and for whom; `undefined`: not at all. Nobody gets into what a stranger's code has run in, which may
 * have made something of it for whoever logs in.
 */
export function keepTerms(
  { isFork, github: { actor } }: Pick<RunSnapshot, "isFork" | "github">,
  debug: Profile["debug"],
): KeepTerms | undefined {
  if (isFork || debug === undefined) return undefined;
  const { keys, onFailure } = debug;
  const ofUser = typeof actor === "string" ? actor : "";
  return { ms: onFailure.ms, keys: keys === "github:actor" ? { ofUser } : keys };
}
