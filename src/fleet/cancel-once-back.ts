import type { ExecuteJobDeps } from "../../runner/job/execute-job.ts";

type OpenPlace = ExecuteJobDeps["openPlace"];

/**
 * For a job that an earlier life has begun: its place is opened also when it is cancelled, and only then it hears of that. Else nobody
 * would end what runs there, and steps that run always would not.
 */
export function cancelOnceBack(
  openPlace: OpenPlace,
  signal: AbortSignal,
): { readonly openPlace: OpenPlace; readonly signal: AbortSignal } {
  const back = new AbortController();
  const cancel = () => back.abort(signal.reason);
  return {
    signal: back.signal,
    async openPlace(request, options) {
      try {
        return await openPlace(request, options);
      } finally {
        if (signal.aborted) cancel();
        else signal.addEventListener("abort", cancel, { once: true });
      }
    },
  };
}
