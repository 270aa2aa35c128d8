import type { GitHubJobRecord } from "../store/records.ts";

const ORDER = ["waiting", "queued", "in_progress", "completed"] as const;

/**
 * Joins what was known of a job with what one more event says. Whatever the order and however often each is told, the result is the
 * same: `join(a, b)` is `join(b, a)`, and `join(a, a)` is `a`. So events may be late, doubled or out of order.
 */
export function joinGitHubJob(
  before: GitHubJobRecord | undefined,
  told: GitHubJobRecord,
): GitHubJobRecord {
  if (!before) return ordered(told);
  const later = compareFacts(before, told) >= 0 ? before : told;
  return ordered({
    ...later,
    ...given("conclusion", greater(before.conclusion, told.conclusion)),
    ...given("runnerName", greater(before.runnerName, told.runnerName)),
    ...given("completedBy", greater(before.completedBy, told.completedBy, textOfPerson)),
    ...given("completedAtMs", lesser(before.completedAtMs, told.completedAtMs)),
    createdAtMs: Math.min(before.createdAtMs, told.createdAtMs),
  });
}

/** What both know may differ, after a repository was renamed, say: the word of the later status counts. */
function compareFacts(one: GitHubJobRecord, other: GitHubJobRecord): number {
  const byStatus = ORDER.indexOf(one.status) - ORDER.indexOf(other.status);
  if (byStatus !== 0) return byStatus;
  const [a, b] = [factsOf(one), factsOf(other)];
  return a === b ? 0 : a > b ? 1 : -1;
}

function factsOf(job: GitHubJobRecord): string {
  const { repository, repositoryId, installationId, githubRunId, attempt, headSha, name, labels } =
    job;
  return JSON.stringify([
    ...[repository, repositoryId, installationId, githubRunId, attempt, headSha, name],
    labels,
  ]);
}

function greater<T>(
  one: T | undefined,
  other: T | undefined,
  key: (value: T) => string = String,
): T | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return key(one) >= key(other) ? one : other;
}

/** The time that GitHub gives is before the one at which a sweep saw it. */
function lesser(one: number | undefined, other: number | undefined): number | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return Math.min(one, other);
}

/** A person rather than a bot, where two are named. */
function textOfPerson({ login, isBot }: { login: string; isBot: boolean }): string {
  return JSON.stringify([!isBot, login]);
}

function given<Key extends string, T>(key: Key, value: T | undefined): { [name in Key]?: T } {
  return (value === undefined ? {} : { [key]: value }) as { [name in Key]?: T };
}

/** Keys in one order, so that equal records are equal as text too. */
function ordered(job: GitHubJobRecord): GitHubJobRecord {
  return {
    id: job.id,
    repository: job.repository,
    repositoryId: job.repositoryId,
    installationId: job.installationId,
    githubRunId: job.githubRunId,
    attempt: job.attempt,
    headSha: job.headSha,
    name: job.name,
    labels: job.labels,
    status: job.status,
    ...given("conclusion", job.conclusion),
    ...given("runnerName", job.runnerName),
    ...given("completedBy", job.completedBy && personOf(job.completedBy)),
    createdAtMs: job.createdAtMs,
    ...given("completedAtMs", job.completedAtMs),
  };
}

function personOf({ login, isBot }: { login: string; isBot: boolean }) {
  return { login, isBot };
}
