/**
 * How long a line may take a problem matcher, in milliseconds, from the value of
 * GITHUB_ACTIONS_RUNNER_ISSUE_MATCHER_TIMEOUT, a time span such as `00:00:02.5` or `1.00:00:00`; 1,000 when there is none that
 * can be read.
 */
export function matcherTimeoutMs(timeSpan: string | undefined): number {
  const match = /^\s*(?:(\d+)\.)?(\d{1,2}):(\d{1,2})(?::(\d{1,2}(?:\.\d{1,7})?))?\s*$/.exec(
    timeSpan ?? "",
  );
  if (match === null) return DEFAULT_MS;
  const [days, hours, minutes, seconds] = match.slice(1).map((part) => Number(part ?? 0));
  const ms =
    ((((days ?? 0) * 24 + (hours ?? 0)) * 60 + (minutes ?? 0)) * 60 + (seconds ?? 0)) * 1000;
  return ms >= 1 ? Math.min(Math.round(ms), 0x7fffffff) : DEFAULT_MS;
}

const DEFAULT_MS = 1000;
