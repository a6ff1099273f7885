//! The schema, step by step. `user_version` counts how many were taken: a step that was ever released stays as it is.

/// Every step, oldest first. Only ever add.
pub(super) const SCHEMA: &[&str] = &[JOURNAL, HISTORY];

/// What pipelines write down while they run.
const JOURNAL: &str = "
CREATE TABLE stream (
    id INTEGER PRIMARY KEY,
    tenant TEXT NOT NULL,
    name TEXT NOT NULL,
    source TEXT NOT NULL,
    started_ms INTEGER NOT NULL,
    finished INTEGER NOT NULL DEFAULT 0,
    next_segment INTEGER NOT NULL DEFAULT 0,
    next_batch INTEGER NOT NULL DEFAULT 0,
    timeline TEXT,
    UNIQUE (tenant, name)
);
CREATE TABLE segment (
    stream INTEGER NOT NULL REFERENCES stream (id),
    idx INTEGER NOT NULL,
    batch INTEGER,
    facts TEXT NOT NULL,
    PRIMARY KEY (stream, idx)
) WITHOUT ROWID;
CREATE TABLE batch (
    stream INTEGER NOT NULL REFERENCES stream (id),
    number INTEGER NOT NULL,
    step INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    reason TEXT NOT NULL,
    discontinuity INTEGER NOT NULL,
    complete_ms INTEGER NOT NULL,
    timeline TEXT,
    outcome TEXT,
    detail TEXT,
    times TEXT NOT NULL DEFAULT '{}',
    PRIMARY KEY (stream, number)
) WITHOUT ROWID;
CREATE TABLE air (
    stream INTEGER NOT NULL REFERENCES stream (id),
    destination TEXT NOT NULL,
    position TEXT NOT NULL,
    PRIMARY KEY (stream, destination)
) WITHOUT ROWID;
CREATE TABLE stage (
    stream INTEGER NOT NULL REFERENCES stream (id),
    kind TEXT NOT NULL,
    digest TEXT NOT NULL,
    state BLOB NOT NULL,
    PRIMARY KEY (stream, kind)
) WITHOUT ROWID;
";

/// Batches stay in the journal after their files are gone. Retention looks at those with files only.
const HISTORY: &str = "
ALTER TABLE batch ADD COLUMN cleaned INTEGER NOT NULL DEFAULT 0;
CREATE INDEX batch_with_files ON batch (stream, number) WHERE cleaned = 0;
";
