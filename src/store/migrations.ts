/**
 * The tables, step by step. A step that was released never changes; a new one is added at the end. Where a record is
 * kept whole as JSON, the columns beside it are what it is looked for by.
 */
export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE deliveries (
    id TEXT PRIMARY KEY,
    received_at_ms INTEGER NOT NULL,
    -- Gone once something was made of it.
    record TEXT,
    problem TEXT
  ) STRICT;
  CREATE INDEX deliveries_unhandled ON deliveries (received_at_ms) WHERE record IS NOT NULL;
  CREATE INDEX deliveries_handled ON deliveries (received_at_ms) WHERE record IS NULL;

  CREATE TABLE triggers (
    delivery_id TEXT PRIMARY KEY,
    repository_id INTEGER NOT NULL,
    event TEXT NOT NULL,
    received_at_ms INTEGER NOT NULL,
    record TEXT NOT NULL
  ) STRICT;
  CREATE INDEX triggers_wanted ON triggers (repository_id, event, received_at_ms);
  CREATE INDEX triggers_old ON triggers (received_at_ms);

  CREATE TABLE github_jobs (
    id INTEGER PRIMARY KEY,
    github_run_id INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    -- When it was made, and later when it completed.
    changed_at_ms INTEGER NOT NULL,
    record TEXT NOT NULL
  ) STRICT;
  CREATE INDEX github_jobs_run ON github_jobs (github_run_id, attempt);
  CREATE INDEX github_jobs_old ON github_jobs (changed_at_ms);

  CREATE TABLE runs (
    id TEXT PRIMARY KEY,
    repository_id INTEGER NOT NULL,
    github_run_id INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    state TEXT NOT NULL,
    rerun_of TEXT,
    created_at_ms INTEGER NOT NULL,
    record TEXT NOT NULL
  ) STRICT;
  CREATE INDEX runs_open ON runs (created_at_ms) WHERE state IN ('new', 'adopted');
  CREATE INDEX runs_old ON runs (created_at_ms) WHERE state NOT IN ('new', 'adopted');

  CREATE TABLE jobs (
    id TEXT PRIMARY KEY,
    run_id TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    state TEXT NOT NULL,
    check_run_id INTEGER,
    is_reported INTEGER NOT NULL,
    created_at_ms INTEGER NOT NULL,
    completed_at_ms INTEGER,
    record TEXT NOT NULL
  ) STRICT;
  CREATE INDEX jobs_run ON jobs (run_id);
  CREATE INDEX jobs_check_run ON jobs (check_run_id) WHERE check_run_id IS NOT NULL;
  CREATE INDEX jobs_unreported ON jobs (created_at_ms) WHERE state = 'completed' AND NOT is_reported;
  CREATE INDEX jobs_newest ON jobs (created_at_ms);
  CREATE INDEX jobs_open ON jobs (created_at_ms) WHERE state <> 'completed';

  CREATE TABLE leases (
    job_id TEXT PRIMARY KEY,
    leased_at_ms INTEGER NOT NULL,
    record TEXT NOT NULL
  ) STRICT;
  CREATE TABLE leased_gpus (
    host TEXT NOT NULL,
    gpu TEXT NOT NULL,
    job_id TEXT NOT NULL REFERENCES leases (job_id) ON DELETE CASCADE,
    PRIMARY KEY (host, gpu)
  ) STRICT;
  CREATE INDEX leased_gpus_job ON leased_gpus (job_id);

  CREATE TABLE drained_hosts (name TEXT PRIMARY KEY) STRICT;

  CREATE TABLE history (
    number INTEGER PRIMARY KEY,
    job_id TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    message TEXT NOT NULL
  ) STRICT;
  CREATE INDEX history_job ON history (job_id);

  CREATE TABLE notes (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
  `,
  `
  CREATE TABLE secrets (
    owner TEXT NOT NULL COLLATE NOCASE,
    -- Empty: of the whole organisation.
    repository TEXT NOT NULL COLLATE NOCASE,
    -- Empty: in every environment.
    environment TEXT NOT NULL COLLATE NOCASE,
    name TEXT NOT NULL,
    sealed BLOB NOT NULL,
    set_at_ms INTEGER NOT NULL,
    PRIMARY KEY (owner, repository, environment, name)
  ) STRICT;
  -- Something known, encrypted: tells a wrong key before anything is encrypted with it.
  CREATE TABLE secret_key (number INTEGER PRIMARY KEY CHECK (number = 1), sealed BLOB NOT NULL) STRICT;
  `,
  `
  -- What the last probe of each host found out.
  CREATE TABLE host_facts (name TEXT PRIMARY KEY, at_ms INTEGER NOT NULL, record TEXT NOT NULL) STRICT;
  `,
];
