//! The steps of the database's schema. `user_version` counts the applied steps; a released step must not be changed.

/// All steps, oldest first. New steps are appended.
pub(super) const SCHEMA: &[&str] = &[JOURNAL, HISTORY, CONTROL, REMOVALS, STAGES, SIGNED, INCIDENTS];

/// The journal of running pipelines.
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

/// Batches stay in the journal after their files are removed. Retention only reads those with files.
const HISTORY: &str = "
ALTER TABLE batch ADD COLUMN cleaned INTEGER NOT NULL DEFAULT 0;
CREATE INDEX batch_with_files ON batch (stream, number) WHERE cleaned = 0;
";

/// The control plane: permissions, desired state and events. The tenant `default` always exists.
///
/// `seq` counts the rows of one bounded list (the audit rows of a tenant, the events of a stream, the deliveries of a
/// webhook); the oldest rows are removed at fixed steps of `seq`. Ids are never reused, so that a list can be continued
/// from an id.
const CONTROL: &str = "
CREATE TABLE tenant (
    name TEXT PRIMARY KEY,
    created_ms INTEGER NOT NULL,
    quotas TEXT NOT NULL DEFAULT '{}',
    network TEXT,
    disabled INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
INSERT INTO tenant (name, created_ms) VALUES ('default', CAST(unixepoch('subsec') * 1000 AS INTEGER));

CREATE TABLE token (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant TEXT REFERENCES tenant (name),
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    hash BLOB NOT NULL UNIQUE,
    created_ms INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    last_used_ms INTEGER,
    expires_ms INTEGER,
    revoked_ms INTEGER
);
CREATE INDEX token_tenant ON token (tenant, id);
CREATE UNIQUE INDEX token_name ON token (ifnull(tenant, ''), name) WHERE revoked_ms IS NULL;

CREATE TABLE pipeline (
    tenant TEXT NOT NULL REFERENCES tenant (name),
    stream TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    origin TEXT NOT NULL,
    desired TEXT NOT NULL,
    desired_ms INTEGER NOT NULL,
    desired_by TEXT NOT NULL,
    revision INTEGER NOT NULL,
    PRIMARY KEY (tenant, stream)
) WITHOUT ROWID;
CREATE TABLE revision (
    tenant TEXT NOT NULL,
    stream TEXT NOT NULL,
    number INTEGER NOT NULL,
    settings TEXT NOT NULL,
    made_ms INTEGER NOT NULL,
    made_by TEXT NOT NULL,
    note TEXT,
    PRIMARY KEY (tenant, stream, number),
    FOREIGN KEY (tenant, stream) REFERENCES pipeline (tenant, stream) ON DELETE CASCADE
);

CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant TEXT,
    seq INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    actor TEXT NOT NULL,
    token INTEGER,
    action TEXT NOT NULL,
    target TEXT NOT NULL,
    outcome TEXT NOT NULL,
    detail TEXT
);
CREATE INDEX audit_tenant ON audit (tenant, id);

CREATE TABLE event (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant TEXT,
    stream TEXT,
    seq INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    kind TEXT NOT NULL,
    severity INTEGER NOT NULL,
    message TEXT NOT NULL,
    batch INTEGER,
    detail TEXT
);
CREATE INDEX event_stream ON event (tenant, stream, id);
CREATE INDEX event_tenant ON event (tenant, id);

CREATE TABLE webhook (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant TEXT NOT NULL REFERENCES tenant (name),
    name TEXT NOT NULL,
    url TEXT NOT NULL,
    secret TEXT NOT NULL,
    events TEXT NOT NULL DEFAULT '[]',
    enabled INTEGER NOT NULL DEFAULT 1,
    created_ms INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    UNIQUE (tenant, name)
);
CREATE TABLE delivery (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    webhook INTEGER NOT NULL REFERENCES webhook (id) ON DELETE CASCADE,
    seq INTEGER NOT NULL,
    event INTEGER,
    kind TEXT NOT NULL,
    payload TEXT NOT NULL,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    created_ms INTEGER NOT NULL,
    next_ms INTEGER,
    last_ms INTEGER,
    status INTEGER,
    error TEXT
);
CREATE INDEX delivery_webhook ON delivery (webhook, id);
CREATE INDEX delivery_due ON delivery (next_ms) WHERE next_ms IS NOT NULL;
";

/// Files to remove after a deletion: recorded in the same transaction, removed when the files are gone. `stream` is
/// empty for a whole tenant; `files` is false when the files must be kept.
const REMOVALS: &str = "
CREATE TABLE removal (
    tenant TEXT NOT NULL,
    stream TEXT NOT NULL,
    files INTEGER NOT NULL,
    PRIMARY KEY (tenant, stream)
) WITHOUT ROWID;
";

/// Swaps of stages, and the components that they install.
const STAGES: &str = "
ALTER TABLE tenant ADD COLUMN stages TEXT;

CREATE TABLE swap (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant TEXT NOT NULL,
    stream TEXT NOT NULL,
    seq INTEGER NOT NULL,
    state TEXT NOT NULL,
    record TEXT NOT NULL,
    FOREIGN KEY (tenant, stream) REFERENCES pipeline (tenant, stream) ON DELETE CASCADE
);
CREATE INDEX swap_stream ON swap (tenant, stream, id);
CREATE INDEX swap_under_way ON swap (id) WHERE state NOT IN ('done', 'refused', 'rolled-back', 'interrupted');

CREATE TABLE roll_out (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant TEXT NOT NULL REFERENCES tenant (name) ON DELETE CASCADE,
    state TEXT NOT NULL,
    record TEXT NOT NULL
);
CREATE INDEX roll_out_tenant ON roll_out (tenant, id);

CREATE TABLE component (
    digest TEXT NOT NULL,
    tenant TEXT REFERENCES tenant (name) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    source TEXT NOT NULL,
    origin TEXT,
    added_ms INTEGER NOT NULL,
    added_by TEXT NOT NULL
);
CREATE UNIQUE INDEX component_owner ON component (digest, ifnull(tenant, ''));
CREATE INDEX component_tenant ON component (tenant);
";

/// The tenant's key that signed a component.
const SIGNED: &str = "ALTER TABLE component ADD COLUMN signed_by TEXT;";

/// Incidents of pipelines, from beginning to end; at most one incident per cause is open.
const INCIDENTS: &str = "
CREATE TABLE incident (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant TEXT NOT NULL,
    stream TEXT NOT NULL,
    cause TEXT NOT NULL,
    severity INTEGER NOT NULL,
    opened_ms INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL,
    resolved_ms INTEGER,
    count INTEGER NOT NULL,
    message TEXT NOT NULL,
    FOREIGN KEY (tenant, stream) REFERENCES pipeline (tenant, stream) ON DELETE CASCADE
);
CREATE INDEX incident_stream ON incident (tenant, stream, id);
CREATE UNIQUE INDEX incident_open ON incident (tenant, stream, cause) WHERE resolved_ms IS NULL;
";
