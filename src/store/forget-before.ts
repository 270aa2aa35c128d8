import type { DatabaseSync } from "node:sqlite";

/**
 * Forgets what ended before then. What belongs to a run that is open, or whose results an open one counts, stays; so
 * does a job with a lease, and a delivery of which nothing was made yet.
 */
export function forgetBefore(database: DatabaseSync): (atMs: number) => string[] {
  const endedRuns = `
    SELECT id FROM runs
    WHERE state NOT IN ('new', 'adopted') AND created_at_ms < $at
      AND NOT EXISTS (
        SELECT 1 FROM jobs WHERE jobs.run_id = runs.id
          AND (state <> 'completed' OR coalesce(completed_at_ms, created_at_ms) >= $at
            OR EXISTS (SELECT 1 FROM leases WHERE leases.job_id = jobs.id)))
      AND NOT EXISTS (
        SELECT 1 FROM runs AS later WHERE later.rerun_of = runs.id AND later.state IN ('new', 'adopted'))`;
  const endedJobs = database.prepare(
    `SELECT id FROM jobs WHERE run_id IN (${endedRuns}) ORDER BY id`,
  );
  const statements = [
    `DELETE FROM history WHERE job_id IN (SELECT id FROM jobs WHERE run_id IN (${endedRuns}))`,
    // Its jobs go with it.
    `DELETE FROM runs WHERE id IN (${endedRuns})`,
    `DELETE FROM deliveries WHERE record IS NULL AND received_at_ms < $at`,
    // A new run has not looked for its event yet.
    `DELETE FROM triggers WHERE received_at_ms < $at
       AND repository_id NOT IN (SELECT repository_id FROM runs WHERE state = 'new')`,
    // GitHub's jobs of which nothing more was heard are over too: it drops those that nobody takes for a day.
    `DELETE FROM github_jobs WHERE changed_at_ms < $at AND NOT EXISTS (
       SELECT 1 FROM runs WHERE state IN ('new', 'adopted')
         AND runs.github_run_id = github_jobs.github_run_id AND runs.attempt = github_jobs.attempt)`,
  ].map((sql) => database.prepare(sql));

  return (atMs) => {
    const gone = endedJobs.all({ $at: atMs }).map(({ id }) => String(id));
    for (const statement of statements) statement.run({ $at: atMs });
    return gone;
  };
}
