import type { Scope } from "../expressions/evaluate.ts";
import type { Conclusion } from "../job/job-description.ts";

/**
 * The status functions of a job's `if`. They look at all jobs this one needs, directly or not: a skipped or failed one
 * anywhere up the chain makes `success()` false.
 *
 * @param results By job id; a failure with `continue-on-error` is a success here.
 */
export function jobStatusFunctions(
  ancestors: ReadonlySet<string>,
  results: ReadonlyMap<string, Conclusion>,
  isCancelled: () => boolean,
): NonNullable<Scope["status"]> {
  const byId = new Map([...results].map(([id, result]) => [id.toLowerCase(), result]));
  const resultsOf = (ids: readonly string[]) =>
    (ids.length > 0 ? ids : [...ancestors]).map((id) => byId.get(id.toLowerCase()));
  return {
    success: (ids) => !isCancelled() && resultsOf(ids).every((result) => result === "success"),
    failure: (ids) => resultsOf(ids).some((result) => result === "failure"),
    cancelled: isCancelled,
  };
}
